namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>Something that calls programs at given times. Touches nothing but what it made itself.</summary>
public interface IScheduler
{
    /// <summary>As a user names it.</summary>
    string Name { get; }

    /// <summary>What it would have to read for these entries. Nothing is changed.</summary>
    /// <exception cref="MoltException"><c>ScheduleNotExpressible</c>: it does not know such times, or such commands.</exception>
    IReadOnlyList<ScheduleFile> Compose(IReadOnlyList<ScheduleEntry> entries);

    /// <summary>What of ours it reads now.</summary>
    /// <exception cref="MoltException"><c>ScheduleNotOurs</c>: under our name there is something that was not made here; <c>ScheduleNotReadable</c>.</exception>
    Task<IReadOnlyList<ScheduleFile>> InstalledAsync(CancellationToken cancellationToken);

    /// <summary>Writes some and removes others; may be done again after it was cut short.</summary>
    /// <exception cref="MoltException"><c>ScheduleNotWritable</c>, <c>ChildProgramFailed</c>.</exception>
    Task ApplyAsync(IReadOnlyList<ScheduleFile> write, IReadOnlyList<ScheduleFile> remove, CancellationToken cancellationToken);
}
