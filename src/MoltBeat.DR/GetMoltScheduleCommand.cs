using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Audit;
using MoltBeat.DR.Engine.Operations.Schedules;

namespace MoltBeat.DR;

/// <summary>Shows for each job of the plan who calls it, when it is due next, when it ran last, and whether it was missed.</summary>
[Cmdlet(VerbsCommon.Get, "MoltSchedule")]
[OutputType(typeof(ScheduleState))]
public sealed class GetMoltScheduleCommand : PlannedScheduleCommand
{
    protected override void EndProcessing()
    {
        try
        {
            var plan = SessionPlan.Locate(this, PlanPath);
            var entries = Entries(plan);
            var folder = Settings.Folder;
            if (Run((_, token) => LookAsync(entries, folder, token), out var seen))
            {
                foreach (var (kind, at) in Times(plan))
                {
                    WriteObject(ScheduleState.Of(kind, at, seen.Found, seen.Last.TryGetValue(kind, out var run) ? run : null, DateTimeOffset.UtcNow));
                }
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, PlanPath);
        }
    }

    private static async Task<(List<(string, IReadOnlyList<ScheduleFile>, IReadOnlyList<ScheduleFile>)> Found, Dictionary<string, (DateTimeOffset, string)> Last)> LookAsync(List<ScheduleEntry> entries, string auditFolder, CancellationToken cancellationToken)
    {
        var found = new List<(string, IReadOnlyList<ScheduleFile>, IReadOnlyList<ScheduleFile>)>();
        foreach (var name in Schedulers.Here())
        {
            var scheduler = Schedulers.Open(name, null);
            found.Add((name, await scheduler.InstalledAsync(cancellationToken).ConfigureAwait(false), scheduler.Compose(entries)));
        }

        return (found, await LastRunsAsync(auditFolder, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>What jobs the log of this machine has seen; a line that is damaged is told by Test-MoltAudit.</summary>
    private static async Task<Dictionary<string, (DateTimeOffset, string)>> LastRunsAsync(string folder, CancellationToken cancellationToken)
    {
        var last = new Dictionary<string, (DateTimeOffset, string)>(StringComparer.OrdinalIgnoreCase);
        try
        {
            await foreach (var record in AuditReader.ReadAsync(folder, _ => { }, cancellationToken).ConfigureAwait(false))
            {
                if (record is { Action: "Job", Detail: { } kind })
                {
                    last[kind] = (record.Time, record.Result.ToString());
                }
            }
        }
        catch (MoltException e) when (e.Id == "AuditNotFound")
        {
            // Nothing has been done on this machine yet.
        }

        return last;
    }
}
