using System.Collections;
using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Tells people on the plan's routes that something is wrong, that somebody works on it, or that it is over.</summary>
[Cmdlet(VerbsCommunications.Send, "MoltAlert", DefaultParameterSetName = TellSet, SupportsShouldProcess = true)]
[OutputType(typeof(AlertDelivery))]
public sealed class SendMoltAlertCommand : AlertCommand
{
    private const string TellSet = "Tell";
    private const string WaitingSet = "Waiting";

    /// <summary>One sentence that can be read on a phone.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = TellSet)]
    [ValidateNotNullOrEmpty]
    public string Summary { get; set; } = "";

    /// <summary>What kind of thing is wrong; decides on routes and severity when the plan has a rule for it.</summary>
    [Parameter(ParameterSetName = TellSet)]
    [ValidateSet(AlertProblems.BackupFailed, AlertProblems.UploadFailed, AlertProblems.VerificationFailed, AlertProblems.SizeAnomaly, AlertProblems.RetentionFailed, AlertProblems.JobMissed,
        AlertProblems.HealthFailed, AlertProblems.AuditBroken, AlertProblems.DrillFailed, AlertProblems.RecoveryRunning, AlertProblems.Custom)]
    public string Problem { get; set; } = AlertProblems.Custom;

    /// <summary>What it is wrong with, such as a database's name. Alerts with the same problem, subject and machine are one incident.</summary>
    [Parameter(ParameterSetName = TellSet)]
    [ValidateNotNullOrEmpty]
    public string Subject { get; set; } = "molt";

    /// <summary>How bad it is. Without it what the plan says of the problem.</summary>
    [Parameter(ParameterSetName = TellSet)]
    public Priority? Severity { get; set; }

    /// <summary>Trigger: it is there. Acknowledge: somebody works on it. Resolve: it is over.</summary>
    [Parameter(ParameterSetName = TellSet)]
    public AlertKind Kind { get; set; }

    /// <summary>More to read, by names. Never a password.</summary>
    [Parameter(ParameterSetName = TellSet)]
    public IDictionary? Detail { get; set; }

    /// <summary>Sends what could not be sent before, and nothing new.</summary>
    [Parameter(Mandatory = true, ParameterSetName = WaitingSet)]
    public SwitchParameter Waiting { get; set; }

    protected override AuditAction? Audits => new("SendAlert", IsGuarded: false);

    protected override void ProcessRecord() => Audited(Send);

    private void Send(AuditSubject subject)
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

        subject.Target = Waiting ? "waiting" : $"{Kind} {Problem} {Subject}";
        var routes = Route ?? (Waiting ? sender.Routes.Select(r => r.Name) : sender.RoutesOf(Problem));
        if (!Confirm(string.Join(", ", routes), Waiting ? "Send the alerts that wait" : $"{Kind} {Problem} {Subject}: {Summary}"))
        {
            return;
        }

        if (Run((_, token) => Waiting ? sender.SendWaitingAsync(Route, token) : sender.SendAsync(Alert(), Route, token), out var deliveries, subject.Target))
        {
            Write(deliveries, subject);
        }
    }

    private Alert Alert() => new(Problem, Subject, Summary)
    {
        Kind = Kind,
        Severity = Severity,
        Details = Detail?.Cast<DictionaryEntry>().ToDictionary(e => Text(e.Key), e => Text(e.Value)) ?? [],
    };

    private static string Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
}
