using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>A job that a scheduler is to call.</summary>
/// <param name="Kind">Daily, Weekly or Monthly.</param>
/// <param name="At">When, UTC.</param>
/// <param name="Command">A program's full path and its arguments.</param>
public sealed record ScheduleEntry(string Kind, CronTime At, IReadOnlyList<string> Command);

/// <summary>Something that a scheduler reads: a file, a user's crontab, a task.</summary>
/// <param name="Path">Where it is, or what it is called.</param>
/// <param name="Content">Its text.</param>
public sealed record ScheduleFile(string Path, string Content);

/// <summary>What happened to something that a scheduler reads.</summary>
public enum ScheduleStatus
{
    Written,

    /// <summary>It was there already, as it should be.</summary>
    Unchanged,
    Removed,

    /// <summary>With -WhatIf, or when the question was answered with no.</summary>
    WouldBeWritten,
    WouldBeRemoved,
}

/// <param name="Scheduler">Cron, Crontab, Systemd or TaskScheduler.</param>
/// <param name="Path">Where it is, or what it is called.</param>
/// <param name="Status">What happened to it.</param>
/// <param name="Content">Its text: what is there now, or would be, or was.</param>
public sealed record ScheduleChange(string Scheduler, string Path, ScheduleStatus Status, string Content)
{
    public override string ToString() => $"{Path}: {Status}";
}
