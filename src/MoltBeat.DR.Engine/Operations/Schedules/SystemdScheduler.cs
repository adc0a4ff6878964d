using System.Globalization;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>systemd: a timer and a service for each job. A job that was due while the machine was off is made up for.</summary>
/// <param name="folder">Of the units.</param>
/// <param name="systemctl">Its full path and what always stands first, such as <c>--user</c>; empty to write the units and no more.</param>
/// <param name="user">Whom the jobs run as; null for the manager's own.</param>
internal sealed class SystemdScheduler(string folder, IReadOnlyList<string> systemctl, string? user) : IScheduler
{
    private const string Mark = "# Made by Register-MoltSchedule, which overwrites changes; Unregister-MoltSchedule removes it.";
    private const string Prefix = "moltbeat-dr-";
    private const int LongestAnswer = 1 << 16;
    private static readonly string[] s_days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

    private readonly ScheduleFolder files = new(folder, Prefix + "*", Mark);

    public string Name => "Systemd";

    public IReadOnlyList<ScheduleFile> Compose(IReadOnlyList<ScheduleEntry> entries) => [.. entries.SelectMany(e => new[] { Service(e), Timer(e) })];

    public Task<IReadOnlyList<ScheduleFile>> InstalledAsync(CancellationToken cancellationToken) => Task.FromResult(files.Read());

    public async Task ApplyAsync(IReadOnlyList<ScheduleFile> write, IReadOnlyList<ScheduleFile> remove, CancellationToken cancellationToken)
    {
        var gone = Timers(remove);
        if (gone.Count > 0)
        {
            await SystemctlAsync(["disable", "--now", .. gone], cancellationToken).ConfigureAwait(false);
        }

        files.Apply(write, remove);
        await SystemctlAsync(["daemon-reload"], cancellationToken).ConfigureAwait(false);

        // All of them: an earlier call may have been cut short after it had written the files.
        var timers = Timers(files.Read());
        if (timers.Count > 0)
        {
            await SystemctlAsync(["enable", "--now", .. timers], cancellationToken).ConfigureAwait(false);
        }
    }

    private static List<string> Timers(IReadOnlyList<ScheduleFile> units) => [.. units.Select(f => Path.GetFileName(f.Path)).Where(n => n.EndsWith(".timer", StringComparison.Ordinal))];

    private async Task SystemctlAsync(IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        if (systemctl.Count > 0)
        {
            _ = await ChildProgram.CaptureAsync(systemctl[0], [.. systemctl.Skip(1), .. arguments], new Dictionary<string, string>(), null, LongestAnswer, cancellationToken).ConfigureAwait(false);
        }
    }

    private ScheduleFile Timer(ScheduleEntry entry) => new(Unit(entry, "timer"), $"""
        {Mark}
        [Unit]
        Description=MoltBeat.DR: when the {Lower(entry)} job is due

        [Timer]
        OnCalendar={Calendar(entry.At)}
        Persistent=true
        AccuracySec=1min

        [Install]
        WantedBy=timers.target

        """.ReplaceLineEndings("\n"));

    private ScheduleFile Service(ScheduleEntry entry) => new(Unit(entry, "service"), $"""
        {Mark}
        [Unit]
        Description=MoltBeat.DR: the {Lower(entry)} job
        Wants=network-online.target
        After=network-online.target postgresql.service

        [Service]
        Type=oneshot
        {(user is null ? "" : $"User={user}\n")}ExecStart={string.Join(' ', entry.Command.Select(Quote))}
        # The job has limits of its own, from the plan.
        TimeoutStartSec=infinity
        Nice=10
        UMask=0077
        NoNewPrivileges=yes
        {(IsOfUser ? "" : Hardening)}
        """.ReplaceLineEndings("\n"));

    // A manager of a user's own cannot give these.
    private const string Hardening = """
        ProtectSystem=full
        ProtectKernelTunables=yes
        ProtectKernelModules=yes
        ProtectControlGroups=yes
        ProtectClock=yes
        RestrictSUIDSGID=yes
        RestrictRealtime=yes
        LockPersonality=yes
        SystemCallArchitectures=native

        """;

    private bool IsOfUser => systemctl.Contains("--user", StringComparer.Ordinal);

    private string Unit(ScheduleEntry entry, string type) => Path.Combine(folder, $"{Prefix}{Lower(entry)}.{type}");

    private static string Lower(ScheduleEntry entry) => entry.Kind.ToLowerInvariant();

    /// <summary>As <c>systemd-analyze calendar</c> takes it.</summary>
    internal static string Calendar(CronTime at)
    {
        static string List(IReadOnlyList<int>? values) => values is null ? "*" : string.Join(',', values.Select(v => v.ToString("D2", CultureInfo.InvariantCulture)));
        var days = at.WeekDays is null ? "" : string.Join(',', at.WeekDays.Select(d => s_days[d])) + " ";
        return $"{days}*-{List(at.Months)}-{List(at.Days)} {List(at.Hours)}:{List(at.Minutes)}:00 UTC";
    }

    private static string Quote(string argument)
    {
        if (argument.Any(char.IsControl))
        {
            throw new MoltException("ScheduleNotExpressible", ErrorKind.NotSupported, "The job's command has a control character in it, which no unit can hold.", "Give the plan a path without one.");
        }

        var text = argument.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("%", "%%", StringComparison.Ordinal).Replace("$", "$$", StringComparison.Ordinal);
        return $"\"{text}\"";
    }
}
