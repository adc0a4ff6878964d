using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Alerting;

namespace MoltBeat.DR;

/// <summary>Sends a message that says that it is a test on every route of the plan. What it opens in PagerDuty it closes.</summary>
[Cmdlet(VerbsDiagnostic.Test, "MoltAlert", SupportsShouldProcess = true)]
[OutputType(typeof(AlertDelivery))]
public sealed class TestMoltAlertCommand : AlertCommand
{
    protected override AuditAction? Audits => new("TestAlert", IsGuarded: false);

    protected override void ProcessRecord() => Audited(subject =>
    {
        AlertSender sender;
        try
        {
            sender = Sender();
        }
        catch (MoltException e)
        {
            WriteFailure(e, PlanPath);
            return;
        }

        if (Confirm(string.Join(", ", Route ?? sender.Routes.Select(r => r.Name)), "Send a test message") && Run((_, token) => sender.TestAsync(Route, token), out var deliveries, PlanPath))
        {
            Write(deliveries, subject);
        }
    });
}
