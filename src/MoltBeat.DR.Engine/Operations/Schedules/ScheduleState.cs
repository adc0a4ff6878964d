using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>Whether a job of the plan is called, and was.</summary>
/// <param name="Kind">Daily, Weekly or Monthly.</param>
/// <param name="At">When the plan wants it, as cron writes it, in UTC; <c>never</c>.</param>
/// <param name="Schedulers">Those that call it.</param>
/// <param name="IsUpToDate">Whether they call it as the plan wants it now; null when none does.</param>
/// <param name="Next">When it is due next, UTC; null for never.</param>
/// <param name="LastRun">When it ran last, UTC, as the audit log of this machine has it; null for never.</param>
/// <param name="LastResult">How that ended.</param>
/// <param name="Missed">How often it was due since then and did not run; null when it never ran.</param>
public sealed record ScheduleState(string Kind, string At, IReadOnlyList<string> Schedulers, bool? IsUpToDate, DateTimeOffset? Next, DateTimeOffset? LastRun, string? LastResult, int? Missed)
{
    // A job may begin a little late: cron looks once a minute, and a machine may be busy.
    private static readonly TimeSpan s_grace = TimeSpan.FromMinutes(5);

    public bool IsInstalled => Schedulers.Count > 0;

    /// <summary>Looks at what schedulers read.</summary>
    /// <param name="kind">Which job.</param>
    /// <param name="at">When the plan wants it; null for never.</param>
    /// <param name="found">Of each scheduler what is there, and what the plan wants there.</param>
    /// <param name="last">Its last run and how that ended.</param>
    /// <param name="now">The present, UTC.</param>
    public static ScheduleState Of(string kind, CronTime? at, IReadOnlyList<(string Scheduler, IReadOnlyList<ScheduleFile> There, IReadOnlyList<ScheduleFile> Wanted)> found, (DateTimeOffset Time, string Result)? last, DateTimeOffset now)
    {
        var calling = found.Where(f => f.There.Any(file => Calls(file, kind))).ToList();
        return new ScheduleState(kind, at?.Text ?? PlannedJob.Never, calling.ConvertAll(f => f.Scheduler),
            calling.Count == 0 ? null : calling.TrueForAll(f => f.Wanted.Where(w => Calls(w, kind)).All(f.There.Contains) && f.Wanted.Any(w => Calls(w, kind))),
            at?.Next(now), last?.Time, last?.Result, last is { } run ? at?.Between(run.Time, now - s_grace).Take(1000).Count() ?? 0 : null);
    }

    /// <summary>By a file's name, or by the comment that stands before a job's line.</summary>
    private static bool Calls(ScheduleFile file, string kind)
        => Path.GetFileNameWithoutExtension(file.Path.Replace('\\', '/')).EndsWith(kind, StringComparison.OrdinalIgnoreCase) || file.Content.Contains($"\n# {kind}: ", StringComparison.Ordinal);
}
