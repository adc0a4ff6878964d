using System.Globalization;
using Cronos;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>
/// When something is due, in UTC, as five fields of cron: minute, hour, day of the month, month, day of the week; with *, lists,
/// ranges, steps and English names. What cron, systemd and Windows understand differently is not taken.
/// </summary>
public sealed class CronTime
{
    private static readonly string[] s_months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    private static readonly string[] s_days = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

    private readonly CronExpression expression;

    private CronTime(string text, CronExpression expression, IReadOnlyList<IReadOnlyList<int>?> fields)
        => (Text, this.expression, Minutes, Hours, Days, Months, WeekDays) = (text, expression, fields[0], fields[1], fields[2], fields[3], fields[4]);

    /// <summary>As the plan writes it.</summary>
    public string Text { get; }

    /// <summary>0 to 59; null for every one. So are all of them.</summary>
    public IReadOnlyList<int>? Minutes { get; }

    public IReadOnlyList<int>? Hours { get; }

    /// <summary>1 to 31.</summary>
    public IReadOnlyList<int>? Days { get; }

    /// <summary>1 to 12.</summary>
    public IReadOnlyList<int>? Months { get; }

    /// <summary>0 to 6, Sunday first.</summary>
    public IReadOnlyList<int>? WeekDays { get; }

    /// <param name="text">Five fields.</param>
    /// <param name="flaw">What is wrong with them, to follow "it".</param>
    /// <returns>Null when they are none.</returns>
    public static CronTime? TryParse(string text, out string flaw)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        flaw = "is not five fields: minute, hour, day of the month, month, day of the week";
        if (parts.Length != 5 || !CronExpression.TryParse(string.Join(' ', parts), out var expression))
        {
            return null;
        }

        var fields = new List<IReadOnlyList<int>?>();
        foreach (var (part, low, high, names) in new[] { (parts[0], 0, 59, []), (parts[1], 0, 23, []), (parts[2], 1, 31, []), (parts[3], 1, 12, s_months), (parts[4], 0, 7, s_days) })
        {
            var values = Values(part, low, high, names);
            if (values is { Count: 0 })
            {
                flaw = $"has {part}, which not every scheduler knows";
                return null;
            }

            fields.Add(values);
        }

        if (fields[2] is not null && fields[4] is not null)
        {
            flaw = "has both a day of the month and a day of the week, which cron takes for either and others for both";
            return null;
        }

        flaw = "";
        return new CronTime(string.Join(' ', parts), expression, fields);
    }

    /// <summary>The first time after a moment, UTC; null when there is none.</summary>
    public DateTimeOffset? Next(DateTimeOffset after) => expression.GetNextOccurrence(after, TimeZoneInfo.Utc);

    /// <summary>All times after one moment and up to another, UTC.</summary>
    public IEnumerable<DateTimeOffset> Between(DateTimeOffset after, DateTimeOffset until) => after >= until ? [] : expression.GetOccurrences(after, until, TimeZoneInfo.Utc, fromInclusive: false, toInclusive: true);

    public override string ToString() => Text;

    /// <returns>Null for every one; empty for what is not understood.</returns>
    private static List<int>? Values(string field, int low, int high, string[] names)
    {
        var values = new SortedSet<int>();
        foreach (var item in field.Split(','))
        {
            var (range, step) = item.Split('/') switch
            {
                [var whole] => (whole, 1),
                [var whole, var by] when int.TryParse(by, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0 => (whole, n),
                _ => ("", 0),
            };
            var ends = range == "*" ? [low, high == 7 ? 6 : high] : range.Split('-').Select(end => Value(end, low, names)).ToList();
            if (ends.Count is 0 or > 2 || ends.Contains(-1) || ends[0] > ends[^1] || (ends.Count == 1 && step > 1))
            {
                return [];
            }

            for (var value = ends[0]; value <= ends[^1]; value += step)
            {
                values.Add(high == 7 && value == 7 ? 0 : value);
            }
        }

        return values.Count == (high == 7 ? 7 : high - low + 1) ? null : [.. values];
    }

    private static int Value(string text, int low, string[] names)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : Array.FindIndex(names, n => n.Equals(text, StringComparison.OrdinalIgnoreCase)) is >= 0 and var index ? index + low : -1;
}
