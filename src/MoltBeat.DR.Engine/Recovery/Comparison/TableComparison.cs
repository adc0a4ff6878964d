using System.Globalization;

namespace MoltBeat.DR.Engine.Recovery.Comparison;

/// <summary>What came of comparing a table.</summary>
public enum ComparisonStatus
{
    /// <summary>Each row is there, and none more.</summary>
    Equal,

    /// <summary>Rows are missing, more, or others.</summary>
    Different,

    /// <summary>The backup has the table, and the other does not.</summary>
    TableMissing,

    /// <summary>The other has the table, and the backup does not.</summary>
    TableExtra,

    /// <summary>Nobody looked.</summary>
    NotCompared,
}

/// <summary>One table of a backup beside the same of a database, or of another backup.</summary>
public sealed class TableComparison
{
    /// <summary>Schema and name.</summary>
    public required string Table { get; init; }

    public required ComparisonStatus Status { get; init; }

    /// <summary>Rows in the backup; null when it does not have the table.</summary>
    public long? Rows { get; init; }

    /// <summary>Rows that only the backup has.</summary>
    public long Missing { get; init; }

    /// <summary>Rows that only the other has.</summary>
    public long Extra { get; init; }

    /// <summary>Rows that both have, with other values.</summary>
    public long Changed { get; init; }

    /// <summary>Columns by which rows are told apart; empty where they are compared as a whole, so that a changed row is one missing and one more.</summary>
    public IReadOnlyList<string> Key { get; init; } = [];

    /// <summary>Why it was not compared, or not all of it.</summary>
    public string Note { get; init; } = "";

    /// <summary>The backup's file name.</summary>
    public required string Backup { get; init; }

    /// <summary>The other: a backup's file name, or server and database.</summary>
    public required string With { get; init; }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Table}: {Status}, {Missing} missing, {Extra} more, {Changed} changed");
}

/// <summary>How a row differs.</summary>
public enum RowDifferenceKind
{
    Missing,
    Extra,
    Changed,
}

/// <summary>One row that is not the same.</summary>
/// <param name="Table">Schema and name.</param>
/// <param name="Kind">How it differs.</param>
/// <param name="Key">The columns that tell it apart, as text; of a table without a key the whole row under an empty name.</param>
/// <param name="Count">How many of such rows; more than one only without a key.</param>
public sealed record RowDifference(string Table, RowDifferenceKind Kind, IReadOnlyDictionary<string, string?> Key, long Count)
{
    public override string ToString() => $"{Table} {Kind} {string.Join(", ", Key.Select(k => $"{k.Key}={k.Value}"))}";
}
