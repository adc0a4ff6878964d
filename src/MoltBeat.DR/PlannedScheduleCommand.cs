using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Operations.Schedules;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>A cmdlet that knows when the plan wants its jobs called, and how.</summary>
public abstract class PlannedScheduleCommand : ScheduleCommand
{
    /// <summary>The plan's file. Without it MOLTBEAT_PLAN, then the machine's plan, then the user's.</summary>
    [Parameter]
    public string? PlanPath { get; set; }

    /// <summary>The full path of pwsh or molt, which is to run the jobs. Without it the one that runs this, then pwsh in PATH, then molt beside the module.</summary>
    [Parameter]
    public string? HostPath { get; set; }

    protected sealed override string? PlanFile => PlanPath;

    /// <summary>All jobs that the plan wants called.</summary>
    /// <exception cref="MoltException"><c>ScheduleNeedsPlan</c>, <c>ScheduleHostMissing</c>, and the plan's own.</exception>
    private protected List<ScheduleEntry> Entries(PlanInForce plan)
    {
        var path = plan.Path ?? throw new MoltException("ScheduleNeedsPlan", ErrorKind.InvalidData, $"The plan is made of {plan.Source}, which a scheduler's jobs would not have.", "Write it to a file: New-MoltPlan.");
        var host = HostPath is null ? null : GetUnresolvedProviderPathFromPSPath(HostPath);
        return [.. Times(plan).Where(t => t.At is not null).Select(t => new ScheduleEntry(t.Kind, t.At!, ScheduledCommand.Of(t.Kind, path, host)))];
    }

    /// <summary>When each job is due; null for never.</summary>
    private protected static IEnumerable<(string Kind, CronTime? At)> Times(PlanInForce plan)
        => plan.Plan.Jobs.Jobs.Select(j => (char.ToUpperInvariant(j.Kind[0]) + j.Kind[1..], j.Job.At == PlannedJob.Never ? null : CronTime.TryParse(j.Job.At!, out _)));
}
