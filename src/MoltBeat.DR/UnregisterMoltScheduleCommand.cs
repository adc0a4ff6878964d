using System.Management.Automation;
using MoltBeat.DR.Engine.Operations.Schedules;

namespace MoltBeat.DR;

/// <summary>Takes the plan's jobs out of a scheduler; what others have there stays as it is.</summary>
[Cmdlet(VerbsLifecycle.Unregister, "MoltSchedule", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(ScheduleChange))]
public sealed class UnregisterMoltScheduleCommand : ScheduleCommand
{
    /// <summary>Out of which. Without it all that this user may change.</summary>
    [Parameter(Position = 0)]
    [ValidateSet("Systemd", "Cron", "Crontab", "TaskScheduler")]
    public string? Scheduler { get; set; }

    protected override AuditAction? Audits => new("Schedule", IsGuarded: true);

    protected override void EndProcessing()
    {
        foreach (var name in Scheduler is null ? Schedulers.Here() : [Scheduler])
        {
            Apply(name, null, []);
        }
    }
}
