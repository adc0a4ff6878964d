using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Verification;

/// <summary>How much a verification looks at.</summary>
public enum VerificationLevel
{
    /// <summary>Every stored byte against its SHA-256; needs no key, no server and no PostgreSQL.</summary>
    Quick,

    /// <summary>Quick, and every row decompressed, counted and digested against the contents.</summary>
    Full,
}

[JsonConverter(typeof(JsonStringEnumConverter<CheckStatus>))]
public enum CheckStatus
{
    Passed,
    Failed,

    /// <summary>Not done, for the reason in the detail; proves nothing.</summary>
    Skipped,
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Name">Short name.</param>
/// <param name="Status">How it went.</param>
/// <param name="Proves">What is certain when it passed.</param>
/// <param name="Detail">What was found.</param>
public sealed record VerificationCheck(string Name, CheckStatus Status, string Proves, string Detail)
{
    public override string ToString() => $"{Name}: {Status}";
}

/// <summary>What a verification found.</summary>
public sealed class VerificationResult
{
    internal VerificationResult(string name, string path, string? id, string? database, VerificationLevel level, IReadOnlyList<VerificationCheck> checks, DateTimeOffset time, TimeSpan duration)
    {
        Name = name;
        Path = path;
        Id = id;
        Database = database;
        Level = level;
        Checks = checks;
        Time = time;
        Duration = duration;
    }

    /// <summary>No check failed. A skipped one does not fail, and proves nothing: see <see cref="Skipped"/>.</summary>
    public bool Passed => Checks.All(c => c.Status != CheckStatus.Failed);

    public VerificationLevel Level { get; }

    public string Name { get; }

    /// <summary>Full path, so that the result can be piped on.</summary>
    public string Path { get; }

    /// <summary>The backup's id; null when its manifest cannot be read.</summary>
    public string? Id { get; }

    public string? Database { get; }

    public IReadOnlyList<VerificationCheck> Checks { get; }

    public IEnumerable<VerificationCheck> Failed => Checks.Where(c => c.Status == CheckStatus.Failed);

    public IEnumerable<VerificationCheck> Skipped => Checks.Where(c => c.Status == CheckStatus.Skipped);

    public DateTimeOffset Time { get; }

    public TimeSpan Duration { get; }
}
