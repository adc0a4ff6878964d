using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>A machine's cron: one file of ours in <c>/etc/cron.d</c>.</summary>
/// <param name="folder">Of the files.</param>
/// <param name="user">Whom the jobs run as.</param>
/// <param name="local">The zone that cron goes by.</param>
internal sealed partial class CronFileScheduler(string folder, string user, TimeZoneInfo local) : IScheduler
{
    // Without a dot: cron passes over names with one.
    private readonly ScheduleFolder files = new(folder, "moltbeat-dr", CronLines.Begin);

    public string Name => "Cron";

    public IReadOnlyList<ScheduleFile> Compose(IReadOnlyList<ScheduleEntry> entries)
        => !UserName().IsMatch(user) ? throw new MoltException("ScheduleNotExpressible", ErrorKind.NotSupported, $"'{user}' cannot be the name of a user of this machine.", "Name one with -User.", user)
            : entries.Count == 0 ? []
            : [new ScheduleFile(Path.Combine(folder, "moltbeat-dr"), CronLines.Of(entries, user, local))];

    public Task<IReadOnlyList<ScheduleFile>> InstalledAsync(CancellationToken cancellationToken) => Task.FromResult(files.Read());

    public Task ApplyAsync(IReadOnlyList<ScheduleFile> write, IReadOnlyList<ScheduleFile> remove, CancellationToken cancellationToken)
    {
        files.Apply(write, remove);
        return Task.CompletedTask;
    }

    [GeneratedRegex(@"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\z")]
    private static partial Regex UserName();
}
