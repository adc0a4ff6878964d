using System.Globalization;
using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>Tells people of a recovery as it goes on: each when their time has come, all when the RTO is over, and when it is done. Never makes the recovery fail.</summary>
internal sealed class EscalationClock : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(250);

    private readonly RunbookOptions options;
    private readonly Incident incident;
    private readonly IReadOnlyList<PlannedContact> contacts;
    private readonly CancellationTokenSource stop = new();
    private readonly Task running;
    private bool isOver;

    private EscalationClock(RunbookOptions options, Incident incident)
    {
        this.options = options;
        this.incident = incident;
        contacts = PlannedContact.Escalation(options.Plan);
        running = Task.Run(RunAsync);
    }

    public static EscalationClock Start(RunbookOptions options, Incident incident) => new(options, incident);

    /// <summary>Who is told when, for people.</summary>
    public static string Describe(BackupPlan plan) => string.Join(", ", PlannedContact.Escalation(plan).Select(c => string.Create(CultureInfo.InvariantCulture, $"{c} after {c.AfterMinutes} min")));

    /// <summary>Tells all who were told that the recovery stands still.</summary>
    public Task StoppedAsync(RunbookStep step) => SendAsync("stopped", null, AlertKind.Trigger, $"The recovery of {incident.Record.Database} stands still: step {step.Number}, {step.Name}, {step.Status}. {step.Detail}", CancellationToken.None);

    /// <summary>Closes all that was opened.</summary>
    public async Task DoneAsync(string text)
    {
        foreach (var told in incident.Record.Told.ToList())
        {
            var contact = contacts.FirstOrDefault(c => Key(c) == told);
            await SendAsync(told, contact, AlertKind.Resolve, text, CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>Tells nobody any more. May be called twice.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!isOver)
        {
            isOver = true;
            await stop.CancelAsync().ConfigureAwait(false);
            await running.ConfigureAwait(false);
            stop.Dispose();
        }
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                var record = incident.Record;
                var passed = options.Clock.GetUtcNow() - record.Started;
                foreach (var contact in contacts.Where(c => passed >= TimeSpan.FromMinutes(c.AfterMinutes!.Value) && !record.Told.Contains(Key(c))))
                {
                    var text = string.Create(CultureInfo.InvariantCulture, $"{contact}: {record.Database} is being recovered ({record.Scenario}) since {record.Started.UtcDateTime:HH:mm} UTC, to be done within {record.RtoMinutes:0.#} min.");
                    await SendAsync(Key(contact), contact, AlertKind.Trigger, text, stop.Token).ConfigureAwait(false);
                }

                if (options.Clock.GetUtcNow() > record.Due && !record.Told.Contains("rto"))
                {
                    await SendAsync("rto", null, AlertKind.Trigger, string.Create(CultureInfo.InvariantCulture, $"The recovery of {record.Database} takes longer than its RTO of {record.RtoMinutes:0.#} min."), stop.Token).ConfigureAwait(false);
                }

                await Task.Delay(s_pause, stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The recovery has ended.
        }
    }

    private async Task SendAsync(string key, PlannedContact? contact, AlertKind kind, string text, CancellationToken cancellationToken)
    {
        var record = incident.Record;
        if (kind == AlertKind.Trigger)
        {
            // Before it is sent: a message that cannot be sent waits in the spool, and is not to be sent again.
            incident.Update(r => r with { Told = [.. r.Told.Where(t => t != key), key] });
        }

        if (options.Alerts is not { } sender)
        {
            incident.Note($"To be told by somebody, since the plan has no route for alerts: {text}");
            return;
        }

        var deliveries = await sender.SendAsync(new Alert(AlertProblems.RecoveryRunning, record.Database, text)
        {
            Key = $"moltbeat-dr/recovery/{record.Id}/{key}",
            Kind = kind,
            Severity = record.Priority,
            Details = new Dictionary<string, string> { ["incident"] = record.Id, ["scenario"] = record.Scenario.ToString(), ["server"] = record.Server },
        }, contact?.Routes, cancellationToken).ConfigureAwait(false);
        incident.Note($"{(kind == AlertKind.Resolve ? "Told that it is over" : "Told")}: {text} ({(deliveries.Count == 0 ? "no route" : string.Join(", ", deliveries.Select(d => $"{d.Route}: {d.Status}")))})");
    }

    private static string Key(PlannedContact contact) => $"{contact.Role} {contact.Name}".Trim();
}
