using System.Text.Json;

namespace MoltBeat.TestServers;

/// <summary>
/// What PagerDuty (https://developer.pagerduty.com/docs/send-alert-event) and Slack (https://docs.slack.dev/reference/block-kit/blocks) document of the bodies that they take, and how they refuse others.
/// </summary>
internal static class AlertRules
{
    private static readonly string[] s_severities = ["critical", "error", "warning", "info"];

    public static AlertAnswer Judge(ReceivedAlert alert)
    {
        if (!alert.Headers.GetValueOrDefault("content-type", "").StartsWith("application/json", StringComparison.Ordinal))
            return new(415, "not JSON");
        return alert.Target switch
        {
            "/v2/enqueue" => PagerDuty(alert.Body),
            _ when alert.Target.StartsWith("/services/", StringComparison.Ordinal) => Slack(alert.Body) is { } flaw ? new(400, flaw) : new(200, "ok"),
            _ => new(204),
        };
    }

    private static AlertAnswer PagerDuty(JsonElement body)
    {
        var errors = new List<string>();
        var action = Text(body, "event_action");
        if (Text(body, "routing_key").Length != 32)
            errors.Add("routing_key is invalid");
        if (action is not ("trigger" or "acknowledge" or "resolve"))
            errors.Add("event_action is invalid");
        if (Text(body, "dedup_key").Length is 0 or > 255)
            errors.Add("dedup_key is missing or longer than 255");
        if (action == "trigger")
        {
            if (!body.TryGetProperty("payload", out var payload))
                errors.Add("payload is missing");
            else if (Text(payload, "summary").Length is 0 or > 1024 || Text(payload, "source").Length == 0 || !s_severities.Contains(Text(payload, "severity"))
                || !DateTimeOffset.TryParse(Text(payload, "timestamp"), out _) || payload.GetProperty("custom_details").ValueKind != JsonValueKind.Object)
                errors.Add("payload is invalid");
        }

        return errors.Count == 0
            ? new(202, $$"""{"status":"success","message":"Event processed","dedup_key":"{{Text(body, "dedup_key")}}"}""")
            : new(400, JsonSerializer.Serialize(new { status = "invalid event", message = "Event object is invalid", errors }));
    }

    private static string? Slack(JsonElement body)
    {
        if (Text(body, "text").Length is 0 or > 40_000)
            return "no_text";
        if (!body.TryGetProperty("blocks", out var blocks) || blocks.GetArrayLength() is 0 or > 50)
            return "invalid_blocks";
        return blocks.EnumerateArray().All(IsBlock) ? null : "invalid_blocks";
    }

    private static bool IsBlock(JsonElement block) => Text(block, "type") switch
    {
        "header" => IsText(block.GetProperty("text"), "plain_text", 150),
        "section" => (block.TryGetProperty("text", out var text) && IsText(text, "mrkdwn", 3000))
            || (block.TryGetProperty("fields", out var fields) && fields.GetArrayLength() is > 0 and <= 10 && fields.EnumerateArray().All(f => IsText(f, "mrkdwn", 2000))),
        "context" => block.GetProperty("elements").GetArrayLength() is > 0 and <= 10 && block.GetProperty("elements").EnumerateArray().All(e => IsText(e, "mrkdwn", 3000)),
        _ => false,
    };

    private static bool IsText(JsonElement text, string type, int longest) => Text(text, "type") == type && Text(text, "text").Length is > 0 && Text(text, "text").Length <= longest;

    private static string Text(JsonElement of, string name) => of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
