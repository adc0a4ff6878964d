namespace MoltBeat.DR.Engine.Alerting;

/// <summary>Our own JSON to any address; see docs/alerts.md. Its <c>text</c> is what the usual chats show.</summary>
internal sealed class WebhookChannel(Uri address, string? authorization) : IAlertChannel
{
    private readonly AlertHttp http = new(address, "the webhook",
        [address.OriginalString, address.PathAndQuery, .. address.Segments.Select(s => s.Trim('/')), .. authorization is null ? [] : (string[])[authorization, .. authorization.Split(' ')]]);

    public bool FoldsByKey => false;

    public Task<ChannelAnswer> SendAsync(Alert alert, CancellationToken cancellationToken)
    {
        var headers = new Dictionary<string, string> { ["Idempotency-Key"] = alert.Id };
        if (authorization is not null)
        {
            headers["Authorization"] = authorization;
        }

        return http.PostAsync(Body(alert), headers, _ => true, cancellationToken);
    }

    private static byte[] Body(Alert alert) => AlertJson.Write(json =>
    {
        json.WriteNumber("version", 1);
        json.WriteString("id", alert.Id);
        json.WriteString("event", alert.Kind switch { AlertKind.Trigger => "trigger", AlertKind.Acknowledge => "acknowledge", _ => "resolve" });
        json.WriteString("key", alert.Key);
        json.WriteString("problem", alert.Problem);
        json.WriteString("subject", alert.Subject);
        json.WriteString("severity", alert.Severity?.ToString());
        json.WriteString("summary", alert.Summary);
        json.WriteString("source", alert.Source);
        json.WriteString("time", AlertJson.Time(alert.Time));
        json.WriteBoolean("test", alert.IsTest);
        json.WriteStartObject("details");
        foreach (var (name, value) in alert.Details)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteString("text", $"{SlackChannel.Title(alert)}. {alert.Summary}");
    });
}
