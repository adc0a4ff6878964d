using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Operations.Schedules;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Has cron, systemd or Windows' Task Scheduler call the plan's jobs.</summary>
[Cmdlet(VerbsLifecycle.Register, "MoltSchedule", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(ScheduleChange))]
public sealed class RegisterMoltScheduleCommand : PlannedScheduleCommand
{
    /// <summary>Who is to call them. Without it the best that this machine has for this user: Systemd, Cron, Crontab; TaskScheduler on Windows.</summary>
    [Parameter(Position = 0)]
    [ValidateSet("Systemd", "Cron", "Crontab", "TaskScheduler")]
    public string? Scheduler { get; set; }

    /// <summary>Whom the jobs run as: with Cron or Systemd, for root. Without it the present user.</summary>
    [Parameter]
    public string? User { get; set; }

    protected override AuditAction? Audits => new("Schedule", IsGuarded: true);

    protected override void EndProcessing()
    {
        List<ScheduleEntry> entries;
        try
        {
            var plan = SessionPlan.Locate(this, PlanPath);
            entries = Entries(plan);
            foreach (var variable in Variables(plan.Plan))
            {
                WriteWarning($"The plan refers to {variable}, and a scheduler's jobs do not have this session's variables: put it into a file of mode 0600, and write file:/absolute/path.");
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, PlanPath);
            return;
        }

        Apply(Scheduler, User, entries);
    }

    private static IEnumerable<string> Variables(BackupPlan plan)
        => plan.Databases.Select(d => d.Url).Concat(plan.Redis.Select(r => r.Url)).Append(plan.Signing?.Passphrase ?? "").Where(r => r.StartsWith("env:", StringComparison.Ordinal)).Distinct();
}
