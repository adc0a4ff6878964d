using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>Reads a plan out of its JSON. Comments and commas behind the last item are allowed; names that nobody knows are not.</summary>
public static class PlanReader
{
    /// <summary>Bytes; a larger file is no plan.</summary>
    public const int LargestFile = 1 << 20;

    /// <summary>Reads a plan, or tells all that is wrong with it.</summary>
    /// <param name="json">UTF-8, with or without a byte order mark.</param>
    /// <param name="source">What to call it in an error.</param>
    /// <exception cref="MoltException"><c>PlanInvalid</c>, <c>PlanVersionUnknown</c>, <c>SecretInPlan</c>.</exception>
    public static BackupPlan Read(ReadOnlyMemory<byte> json, string source)
        => Examine(json) is var (plan, problems) && plan is not null && problems.Count == 0 ? plan : throw PlanProblem.ToError(source, problems);

    /// <summary>Reads a plan as far as it can be read.</summary>
    /// <returns>The plan, when its form is right, and all problems.</returns>
    internal static (BackupPlan? Plan, IReadOnlyList<PlanProblem> Problems) Examine(ReadOnlyMemory<byte> json)
    {
        if (json.Length > LargestFile)
        {
            return Broken("it is larger than 1 MiB", "A plan is a few kilobytes: name the right file.");
        }

        if (json.Span.StartsWith("\uFEFF"u8))
        {
            json = json[3..];
        }

        if (!Utf8.IsValid(json.Span))
        {
            return Broken("it is not UTF-8", "Save it as UTF-8.");
        }

        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 32 });
            if (VersionOf(document.RootElement) > BackupPlan.CurrentVersion)
            {
                return (null, [.. PlanRules.Check(new BackupPlan(int.MaxValue))]);
            }

            var problems = PlanShape.Check(document.RootElement);
            if (problems.Any(p => p.Check != PlanCheckNames.Secrets))
            {
                return (null, problems);
            }

            var plan = document.Deserialize(PlanJson.Default.BackupPlan)!;
            // A location with a password in it must not come into another check's message.
            return problems.Count > 0 ? (null, problems) : (plan, [.. PlanRules.Check(plan)]);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not chained, not quoted: what the parser says can hold a piece of the text, and that may be a secret.
            var where = e is JsonException { LineNumber: { } line, BytePositionInLine: { } column }
                ? string.Create(CultureInfo.InvariantCulture, $"line {line + 1}, byte {column + 1}: no JSON can go on like this")
                : "a text in it holds half a character";
            return Broken(where, "Look there and just before: a comma, quote or bracket is missing or too many. Comments begin with //.");
        }
    }

    private static int VersionOf(JsonElement root)
        => root.ValueKind == JsonValueKind.Object && root.TryGetProperty("version", out var version) && version.ValueKind == JsonValueKind.Number && version.TryGetInt32(out var number) ? number : 0;

    private static (BackupPlan? Plan, IReadOnlyList<PlanProblem> Problems) Broken(string message, string remedy)
        => (null, [new PlanProblem(PlanCheckNames.Syntax, "$", message, remedy)]);
}
