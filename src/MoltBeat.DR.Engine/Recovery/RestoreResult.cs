using MoltBeat.DR.Engine.Recovery.Replacement;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>Whether the restored rows were compared with the backup.</summary>
public enum ProofStatus
{
    /// <summary>Row counts and digests of all restored tables are those of the backup.</summary>
    Proven,

    /// <summary>Nobody looked: -SkipProof.</summary>
    Skipped,

    /// <summary>A dump of stock tools: it was read to its end and loaded without an error, and each table holds as many rows as the dump has for it. The rows cannot be compared: it has no digests.</summary>
    Counted,
}

/// <summary>One table of a restored database.</summary>
/// <param name="Table">Schema and name.</param>
/// <param name="Rows">Rows restored.</param>
/// <param name="Digest">Digest of the rows: the backup's, and when <paramref name="Proven"/>, the restored table's as well.</param>
/// <param name="Proven">Counted and digested after the restore, and found equal.</param>
public sealed record RestoredTable(string Table, long Rows, string Digest, bool Proven);

/// <summary>How long one step took.</summary>
public sealed record RestoreStep(string Name, TimeSpan Duration)
{
    public override string ToString() => $"{Name} {Duration.TotalSeconds.ToString("0.0", System.Globalization.CultureInfo.InvariantCulture)} s";
}

/// <summary>What a restore has made. A restore that fails gives an error and no result.</summary>
public sealed class RestoreResult
{
    /// <summary>The new database.</summary>
    public required string Database { get; init; }

    public required string Server { get; init; }

    public required string BackupId { get; init; }

    /// <summary>The archive.</summary>
    public required string Path { get; init; }

    /// <summary>The moment whose state the database now shows, UTC.</summary>
    public required DateTimeOffset StateOf { get; init; }

    public required ProofStatus Proof { get; init; }

    public required IReadOnlyList<RestoredTable> Tables { get; init; }

    public long Rows => Tables.Sum(t => t.Rows);

    /// <summary>Large objects were compared too; null when there are none to compare or the role may not read them.</summary>
    public bool? LargeObjectsProven { get; init; }

    /// <summary>Tables that pg_restore filled, if at all, each with the reason: their rows were not compared with the backup's.</summary>
    public IReadOnlyList<string> NotCompared { get; init; } = [];

    /// <summary>Foreign keys, policies, rules and the like of chosen tables that were left out, because they need a table that was not chosen.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>What became of the database that had the name before; null when there was none.</summary>
    public ReplacedDatabase? Replaced { get; init; }

    /// <summary>The backup of what the database held before, when it was restored in place; null otherwise.</summary>
    public string? SafetyBackup { get; init; }

    public IReadOnlyList<string> RolesCreated { get; init; } = [];

    public required IReadOnlyList<RestoreStep> Steps { get; init; }

    public required TimeSpan Duration { get; init; }
}
