using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>A user's own crontab, in which our lines stand between two marks.</summary>
/// <param name="program">The full path of crontab.</param>
/// <param name="local">The zone that cron goes by.</param>
internal sealed class CrontabScheduler(string program, TimeZoneInfo local) : IScheduler
{
    private const int LargestTable = 1 << 20;
    private static readonly string s_path = $"crontab of {Environment.UserName}";

    public string Name => "Crontab";

    public IReadOnlyList<ScheduleFile> Compose(IReadOnlyList<ScheduleEntry> entries) => entries.Count == 0 ? [] : [new ScheduleFile(s_path, CronLines.Of(entries, null, local))];

    public async Task<IReadOnlyList<ScheduleFile>> InstalledAsync(CancellationToken cancellationToken)
    {
        var (_, ours, _) = Split(await ReadAsync(cancellationToken).ConfigureAwait(false));
        return ours.Length == 0 ? [] : [new ScheduleFile(s_path, ours)];
    }

    public async Task ApplyAsync(IReadOnlyList<ScheduleFile> write, IReadOnlyList<ScheduleFile> remove, CancellationToken cancellationToken)
    {
        var (before, _, after) = Split(await ReadAsync(cancellationToken).ConfigureAwait(false));
        var table = before + string.Concat(write.Select(f => f.Content)) + after;
        var child = ChildProgram.Start(program, ["-"], new Dictionary<string, string>(), null, redirectInput: true, cancellationToken);
        await using (child.ConfigureAwait(false))
        {
            await child.Input.WriteAsync(System.Text.Encoding.UTF8.GetBytes(table), cancellationToken).ConfigureAwait(false);
            await child.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<string> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ChildProgram.CaptureAsync(program, ["-l"], new Dictionary<string, string>(), null, LargestTable, cancellationToken).ConfigureAwait(false);
        }
        catch (MoltException e) when (e.Id == "ChildProgramFailed" && e.Message.Contains("no crontab", StringComparison.OrdinalIgnoreCase))
        {
            return "";
        }
    }

    /// <summary>What stands before our lines, our lines, and what stands behind them: others' lines stay as they are, to the byte.</summary>
    internal static (string Before, string Ours, string After) Split(string table)
    {
        var from = table.StartsWith(CronLines.Begin, StringComparison.Ordinal) ? 0 : table.IndexOf("\n" + CronLines.Begin, StringComparison.Ordinal) + 1;
        if (from == 0 && !table.StartsWith(CronLines.Begin, StringComparison.Ordinal))
        {
            return (table.Length == 0 || table.EndsWith('\n') ? table : table + "\n", "", "");
        }

        var end = table.IndexOf("\n" + CronLines.End + "\n", from, StringComparison.Ordinal);
        if (end < 0)
        {
            throw new MoltException("ScheduleNotOurs", ErrorKind.AlreadyExists, $"In the {s_path} the line '{CronLines.End}' is missing behind ours: where ours end cannot be told.", "Remove our lines, or put that one back, with crontab -e.", s_path);
        }

        var to = end + CronLines.End.Length + 2;
        return (table[..from], table[from..to], table[to..]);
    }
}
