namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>Makes a scheduler call the plan's jobs, or no longer.</summary>
public static class ScheduleOperation
{
    /// <summary>Brings what a scheduler reads to what these entries want. Done again, it changes nothing.</summary>
    /// <param name="scheduler">Whose.</param>
    /// <param name="entries">All that it is to call; empty for none.</param>
    /// <param name="approve">Is asked for each thing that would change, before any is.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">As of <see cref="IScheduler"/>.</exception>
    public static async Task<IReadOnlyList<ScheduleChange>> RunAsync(IScheduler scheduler, IReadOnlyList<ScheduleEntry> entries, Func<ScheduleChange, Task<bool>> approve, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(scheduler);
        ArgumentNullException.ThrowIfNull(approve);
        var wanted = scheduler.Compose(entries);
        var there = await scheduler.InstalledAsync(cancellationToken).ConfigureAwait(false);
        var changes = wanted.Select(w => new ScheduleChange(scheduler.Name, w.Path, there.Contains(w) ? ScheduleStatus.Unchanged : ScheduleStatus.WouldBeWritten, w.Content))
            .Concat(there.Where(t => !wanted.Any(w => w.Path == t.Path)).Select(t => new ScheduleChange(scheduler.Name, t.Path, ScheduleStatus.WouldBeRemoved, t.Content))).ToList();
        var approved = new List<ScheduleChange>();
        foreach (var change in changes.Where(c => c.Status != ScheduleStatus.Unchanged))
        {
            if (await approve(change).ConfigureAwait(false))
            {
                approved.Add(change);
            }
        }

        List<ScheduleFile> Of(ScheduleStatus status) => [.. approved.Where(c => c.Status == status).Select(c => new ScheduleFile(c.Path, c.Content))];
        if (approved.Count > 0)
        {
            await scheduler.ApplyAsync(Of(ScheduleStatus.WouldBeWritten), Of(ScheduleStatus.WouldBeRemoved), cancellationToken).ConfigureAwait(false);
        }

        return changes.ConvertAll(c => !approved.Contains(c) ? c : c with { Status = c.Status == ScheduleStatus.WouldBeWritten ? ScheduleStatus.Written : ScheduleStatus.Removed });
    }
}
