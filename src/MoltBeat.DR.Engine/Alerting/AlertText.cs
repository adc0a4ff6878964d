using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>Makes an alert fit to be sent and to lie on a disk: bounded, one line where one is meant, and without what looks like a password.</summary>
internal static class AlertText
{
    public const int LongestSummary = 500;
    private const int LongestName = 100;
    private const int LongestDetail = 1000;
    private const int MostDetails = 20;

    /// <param name="alert">What somebody wants told.</param>
    /// <param name="plan">Says what its author left open.</param>
    public static Alert Complete(Alert alert, PlannedAlerts plan)
    {
        var source = alert.Source.Length > 0 ? alert.Source : plan.Source ?? Environment.MachineName;
        var named = alert with { Source = Line(source, LongestName), Problem = Line(alert.Problem, LongestName), Subject = Line(alert.Subject, LongestName) };
        return named with
        {
            Key = Line(named.Key, 255),
            Severity = alert.Severity ?? plan.SeverityOf(alert.Problem),
            Summary = Line(alert.Summary, LongestSummary),
            Details = alert.Details.Take(MostDetails).GroupBy(d => Line(d.Key, LongestName), StringComparer.Ordinal)
                .ToDictionary(g => g.Key, g => PlanText.SecretIn(g.Key, g.First().Value) is { } secret ? LeftOut(secret) : Cut(g.First().Value, LongestDetail), StringComparer.Ordinal),
            Time = alert.Time.ToUniversalTime(),
        };
    }

    /// <summary>Whole letters only: half of a surrogate pair is no text to JSON.</summary>
    public static string Cut(string text, int longest)
        => text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 2]) ? longest - 2 : longest - 1)] + "…";

    /// <summary>Takes secrets out of what a server has answered, which may repeat what it was sent.</summary>
    public static string Redact(string text, IEnumerable<string> secrets)
    {
        foreach (var secret in secrets.Where(s => s.Length > 3).OrderByDescending(s => s.Length))
        {
            text = text.Replace(secret, "***", StringComparison.OrdinalIgnoreCase);
        }

        return Line(text, 200);
    }

    private static string Line(string text, int longest)
        => PlanText.SecretIn("", text) is { } secret ? LeftOut(secret) : Cut(string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)).Trim(), longest);

    private static string LeftOut(string secret) => $"(left out: it seems to hold {secret})";
}
