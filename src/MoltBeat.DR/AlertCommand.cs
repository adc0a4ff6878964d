using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Alerting;

namespace MoltBeat.DR;

/// <summary>A cmdlet that sends alerts on the plan's routes.</summary>
public abstract class AlertCommand : MoltCommand
{
    /// <summary>The plan's file. Without it MOLTBEAT_PLAN, then the machine's plan, then the user's, then the variables.</summary>
    [Parameter]
    public string? PlanPath { get; set; }

    /// <summary>Names of routes. Without it those that the plan gives.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? Route { get; set; }

    protected sealed override string? PlanFile => PlanPath;

    /// <summary>What sends; it has the routes' secrets.</summary>
    /// <exception cref="MoltException">The plan's own errors; <c>AlertRouteMissing</c>.</exception>
    private protected AlertSender Sender()
    {
        var plan = SessionPlan.Locate(this, PlanPath);
        return plan.Plan.Alerts.Routes.Count > 0
            ? new AlertSender(plan.Plan.Alerts, SessionPlan.Secrets(this), AlertSettings.Of(plan.Plan.Alerts, SessionState.Path.CurrentFileSystemLocation.ProviderPath))
            : throw new MoltException("AlertRouteMissing", ErrorKind.NotFound, $"The plan ({plan.Source}) has no route for alerts.", "Add routes under alerts.routes; docs/alerts.md tells how.", plan.Source);
    }

    /// <summary>Writes what has become of an alert; what was not delivered is an error or a warning as well.</summary>
    private protected void Write(IEnumerable<AlertDelivery> deliveries, AuditSubject subject)
    {
        var all = deliveries.ToList();
        subject.Detail = string.Join(", ", all.Select(d => $"{d.Route}: {d.Status}"));
        foreach (var delivery in all)
        {
            foreach (var note in delivery.Notes)
            {
                WriteWarning($"{delivery.Route}: {note}.");
            }

            WriteObject(delivery);
            if (delivery.Status == AlertStatus.Waiting)
            {
                WriteWarning($"{delivery.Route}: not sent yet, and kept in the spool: {delivery.Detail}.");
            }
            else if (delivery.Status == AlertStatus.Failed)
            {
                WriteFailure(new MoltException("AlertNotDelivered", ErrorKind.Failed, $"The alert did not go out on the route {delivery.Route}: {delivery.Detail}.", "Correct the route in the plan, or what its secret holds, and run Test-MoltAlert.", delivery.Route));
            }
        }
    }
}
