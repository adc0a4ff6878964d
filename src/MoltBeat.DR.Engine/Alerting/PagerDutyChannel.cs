using System.Text.Json;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>PagerDuty's Events API v2: https://developer.pagerduty.com/docs/send-alert-event</summary>
internal sealed class PagerDutyChannel(Uri address, string routingKey) : IAlertChannel
{
    public const string Address = "https://events.pagerduty.com/v2/enqueue";

    private const int LongestSummary = 1024;

    private readonly AlertHttp http = new(address, "PagerDuty", [routingKey]);

    public bool FoldsByKey => true;

    public Task<ChannelAnswer> SendAsync(Alert alert, CancellationToken cancellationToken) => http.PostAsync(Body(alert), [], IsTaken, cancellationToken);

    private byte[] Body(Alert alert) => AlertJson.Write(json =>
    {
        json.WriteString("routing_key", routingKey);
        json.WriteString("event_action", alert.Kind switch { AlertKind.Trigger => "trigger", AlertKind.Acknowledge => "acknowledge", _ => "resolve" });
        json.WriteString("dedup_key", alert.Key);
        if (alert.Kind != AlertKind.Trigger)
        {
            return;
        }

        json.WriteString("client", "MoltBeat.DR");
        json.WriteStartObject("payload");
        json.WriteString("summary", AlertText.Cut((alert.IsTest ? "TEST: " : "") + alert.Summary, LongestSummary));
        json.WriteString("source", alert.Source);
        json.WriteString("severity", alert.Severity switch { Priority.P0 => "critical", Priority.P1 => "error", Priority.P2 => "warning", _ => "info" });
        json.WriteString("timestamp", AlertJson.Time(alert.Time));
        json.WriteString("component", alert.Subject);
        json.WriteString("class", alert.Problem);
        json.WriteStartObject("custom_details");
        json.WriteString("priority", alert.Severity?.ToString());
        foreach (var (name, value) in alert.Details.Where(d => d.Key != "priority"))
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static bool IsTaken(string text)
    {
        try
        {
            return JsonElement.Parse(text) is { ValueKind: JsonValueKind.Object } answer && answer.TryGetProperty("status", out var status) && status.ValueEquals("success");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
