using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>
/// Lines of a crontab. Debian's cron knows local time only: where that is not UTC all the year, a line runs at every hour at
/// which it might be due, and lets its shell look at the clock in UTC first.
/// </summary>
internal static class CronLines
{
    public const string Begin = "# BEGIN MoltBeat.DR: made by Register-MoltSchedule, which overwrites changes; Unregister-MoltSchedule removes it";
    public const string End = "# END MoltBeat.DR";

    /// <param name="entries">What to call.</param>
    /// <param name="user">The user's column of a system's crontab; null where there is none.</param>
    /// <param name="local">The zone that cron goes by.</param>
    /// <exception cref="MoltException"><c>ScheduleNotExpressible</c>.</exception>
    public static string Of(IReadOnlyList<ScheduleEntry> entries, string? user, TimeZoneInfo local)
    {
        var text = new StringBuilder(Begin).Append('\n').Append("# Times are UTC");
        text.Append(IsUtc(local) ? ", as this machine's are.\n" : $"; this machine's are not ({local.Id}), so that each line looks at the clock before it does anything.\n");
        foreach (var entry in entries)
        {
            text.Append(CultureInfo.InvariantCulture, $"# {entry.Kind}: {entry.At}\n").Append(Line(entry, user, local)).Append('\n');
        }

        return text.Append(End).Append('\n').ToString();
    }

    private static string Line(ScheduleEntry entry, string? user, TimeZoneInfo local)
    {
        if (entry.Command.Any(a => a.AsSpan().IndexOfAny('\n', '\r', '\0') >= 0))
        {
            throw new MoltException("ScheduleNotExpressible", ErrorKind.NotSupported, $"The {entry.Kind} job's command has a line break in it, which no crontab can hold.", "Give the plan a path without one.", entry.Kind);
        }

        var command = string.Join(' ', entry.Command.Select(Quote));
        var time = entry.At.Text;
        if (!IsUtc(local))
        {
            time = $"{(HasWholeHours(local) ? entry.At.Text.Split(' ')[0] : "*")} * * * *";
            var looks = Looks(entry.At, minutes: !HasWholeHours(local)).ToList();
            command = string.Concat(looks) + command;
        }

        // To cron a percent sign ends the command.
        return (user is null ? $"{time} " : $"{time} {user} ") + command.Replace("%", "\\%", StringComparison.Ordinal);
    }

    private static IEnumerable<string> Looks(CronTime at, bool minutes)
    {
        foreach (var (values, format, digits) in new[] { (minutes ? at.Minutes : null, "%M", 2), (at.Hours, "%H", 2), (at.Days, "%d", 2), (at.Months, "%m", 2), (at.WeekDays, "%w", 1) })
        {
            if (values is not null)
            {
                yield return $"case $(date -u +{format}) in {string.Join('|', values.Select(v => v.ToString("D" + digits, CultureInfo.InvariantCulture)))}) ;; *) exit 0 ;; esac; ";
            }
        }
    }

    /// <summary>For sh. What is plain stays plain, so that a person can read it.</summary>
    private static string Quote(string argument)
        => argument.Length > 0 && argument.All(c => char.IsAsciiLetterOrDigit(c) || "/._-+=:,@".Contains(c, StringComparison.Ordinal)) ? argument : "'" + argument.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private static bool IsUtc(TimeZoneInfo zone) => zone.BaseUtcOffset == TimeSpan.Zero && !zone.SupportsDaylightSavingTime;

    /// <summary>This year and the next: what a zone's offsets were in the past does not matter.</summary>
    private static bool HasWholeHours(TimeZoneInfo zone)
        => Enumerable.Range(0, 24).All(month => zone.GetUtcOffset(DateTimeOffset.UtcNow.AddMonths(month)).Minutes == 0);
}
