using System.Security.Cryptography;
using System.Text;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>What is to happen with a problem.</summary>
public enum AlertKind
{
    /// <summary>It is there.</summary>
    Trigger,

    /// <summary>Somebody works on it.</summary>
    Acknowledge,

    /// <summary>It is gone.</summary>
    Resolve,
}

/// <summary>Something that people are told. Must hold no secret; what looks like one is left out of it.</summary>
/// <param name="Problem">What kind of thing is wrong: one of <see cref="AlertProblems"/>.</param>
/// <param name="Subject">What it is wrong with, such as a database's name.</param>
/// <param name="Summary">One sentence that can be read on a phone.</param>
public sealed record Alert(string Problem, string Subject, string Summary)
{
    private const int LongestKey = 255;

    /// <summary>Tells this message from all others; a message that is sent twice keeps it.</summary>
    public string Id { get; init; } = Guid.NewGuid().ToString("N");

    public AlertKind Kind { get; init; }

    /// <summary>How bad it is; null for what the plan says of the problem.</summary>
    public Priority? Severity { get; init; }

    /// <summary>More to read, by names: durations, sizes, error ids.</summary>
    public IReadOnlyDictionary<string, string> Details { get => field ?? new Dictionary<string, string>(); init; }

    /// <summary>The machine that tells it; empty for what the plan calls this one.</summary>
    public string Source { get; init; } = "";

    /// <summary>When it happened, UTC.</summary>
    public DateTimeOffset Time { get; init; } = DateTimeOffset.UtcNow;

    /// <summary>Nothing has happened; somebody tries whether messages arrive.</summary>
    public bool IsTest { get; init; }

    /// <summary>
    /// Names the problem: all that is told of one has the same key, at most 255 letters, so that a second failure is no second
    /// incident, and a success ends the first. Without a value it is made of source, problem and subject.
    /// </summary>
    public string Key { get => field ?? KeyOf(Source, Problem, Subject); init; }

    public override string ToString() => $"{Kind} {Severity} {Problem} {Subject}: {Summary}";

    private static string KeyOf(string source, string problem, string subject)
    {
        var key = $"moltbeat-dr/{source}/{problem}/{subject}";
        return key.Length <= LongestKey ? key : string.Concat(key.AsSpan(0, LongestKey - 33), "/", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)).AsSpan(0, 16)));
    }
}
