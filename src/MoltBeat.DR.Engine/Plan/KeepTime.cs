using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>
/// A time for which something is kept, as a plan writes it: <c>30d</c>, an ISO 8601 duration (<c>P90D</c>, <c>P1Y</c>,
/// <c>PT36H</c>) or <c>forever</c>. A year counts 365 days, a month 30: a rule must mean the same on every day.
/// </summary>
internal static partial class KeepTime
{
    public const string Forms = "a number of days as \"30d\", an ISO 8601 duration as \"P1Y\", or \"forever\"";

    private const string Forever = "forever";
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(36500);

    /// <param name="text">What the plan says.</param>
    /// <param name="time">Null for ever.</param>
    /// <returns>False when it is none of the forms, or longer than a hundred years.</returns>
    public static bool TryParse(string text, out TimeSpan? time)
    {
        time = null;
        if (text == Forever)
        {
            return true;
        }

        var match = Pattern().Match(text);
        if (!match.Success || !match.Groups["n"].Captures.All(c => c.Length <= 6))
        {
            return false;
        }

        double Number(string unit) => match.Groups[unit] is { Success: true } group ? int.Parse(group.ValueSpan[..^1], NumberStyles.None, CultureInfo.InvariantCulture) : 0;
        var days = Number("y") * 365 + Number("m") * 30 + Number("w") * 7 + Number("d");
        if (days > s_longest.TotalDays)
        {
            return false;
        }

        var found = TimeSpan.FromDays(days) + TimeSpan.FromHours(Number("h")) + TimeSpan.FromMinutes(Number("min")) + TimeSpan.FromSeconds(Number("s"));
        time = found;
        return found <= s_longest;
    }

    /// <summary>The shortest of the forms that says the same.</summary>
    public static string Format(TimeSpan? time) => time switch
    {
        null => Forever,
        { } whole when whole.Ticks % TimeSpan.TicksPerDay == 0 => whole.Days.ToString(CultureInfo.InvariantCulture) + "d",
        { } other => System.Xml.XmlConvert.ToString(other),
    };

    // At least one number, and at least one behind the T.
    [GeneratedRegex(@"\A(?:(?<d>(?<n>[0-9]+)d)|P(?=[0-9]|T[0-9])(?<y>(?<n>[0-9]+)Y)?(?<m>(?<n>[0-9]+)M)?(?<w>(?<n>[0-9]+)W)?(?<d>(?<n>[0-9]+)D)?(?:T(?=[0-9])(?<h>(?<n>[0-9]+)H)?(?<min>(?<n>[0-9]+)M)?(?<s>(?<n>[0-9]+)S)?)?)\z")]
    private static partial Regex Pattern();
}

/// <summary><see cref="KeepTime"/> in JSON.</summary>
internal sealed class KeepConverter : JsonConverter<TimeSpan?>
{
    public override TimeSpan? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        => reader.TokenType == JsonTokenType.String && KeepTime.TryParse(reader.GetString()!, out var time) ? time : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, TimeSpan? value, JsonSerializerOptions options) => writer.WriteStringValue(KeepTime.Format(value));
}
