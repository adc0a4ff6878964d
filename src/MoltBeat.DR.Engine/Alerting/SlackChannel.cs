using System.Text.Json;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>Slack's incoming webhooks: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, in blocks that a phone shows whole.</summary>
internal sealed class SlackChannel(Uri address) : IAlertChannel
{
    private const int LongestHeader = 150;
    private const int LongestField = 2000;
    private const int MostFields = 10;

    private readonly AlertHttp http = new(address, "Slack", [address.OriginalString, .. address.Segments.Select(s => s.Trim('/'))]);

    public bool FoldsByKey => false;

    public Task<ChannelAnswer> SendAsync(Alert alert, CancellationToken cancellationToken) => http.PostAsync(Body(alert), [], text => text == "ok", cancellationToken);

    /// <summary>What people see first, on a locked phone too.</summary>
    internal static string Title(Alert alert) => (alert.IsTest ? "TEST: " : "") + alert.Kind switch
    {
        AlertKind.Trigger => $"{Sign(alert)} {alert.Severity} {alert.Problem}: {alert.Subject}",
        AlertKind.Acknowledge => $"👀 {alert.Problem}: {alert.Subject} is being worked on",
        _ => $"✅ {alert.Problem}: {alert.Subject} is resolved",
    };

    private static byte[] Body(Alert alert) => AlertJson.Write(json =>
    {
        json.WriteString("text", Escape(AlertText.Cut($"{Title(alert)}. {alert.Summary}", LongestField)));
        json.WriteStartArray("blocks");
        json.WriteStartObject();
        json.WriteString("type", "header");
        Text(json, "text", "plain_text", AlertText.Cut(Title(alert), LongestHeader));
        json.WriteEndObject();
        json.WriteStartObject();
        json.WriteString("type", "section");
        Text(json, "text", "mrkdwn", Escape(alert.Summary.Length > 0 ? alert.Summary : Title(alert)));
        json.WriteEndObject();
        if (alert.Details.Count > 0)
        {
            json.WriteStartObject();
            json.WriteString("type", "section");
            json.WriteStartArray("fields");
            foreach (var (name, value) in alert.Details.Take(MostFields))
            {
                json.WriteStartObject();
                json.WriteString("type", "mrkdwn");
                json.WriteString("text", AlertText.Cut($"*{Escape(name)}*\n{Escape(value)}", LongestField));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteStartObject();
        json.WriteString("type", "context");
        json.WriteStartArray("elements");
        json.WriteStartObject();
        json.WriteString("type", "mrkdwn");
        json.WriteString("text", Escape($"{alert.Source}, {AlertJson.Time(alert.Time)}"));
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
    });

    private static void Text(Utf8JsonWriter json, string name, string type, string text)
    {
        json.WriteStartObject(name);
        json.WriteString("type", type);
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    private static string Sign(Alert alert) => alert.Severity switch { Priority.P0 or Priority.P1 => "🔴", Priority.P2 => "🟠", _ => "🔵" };

    // Slack's three control characters: without this, text such as <!channel> would call everybody.
    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal);
}
