namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>What a row restore does, or would do, to one table.</summary>
public sealed class RestoredRows
{
    /// <summary>Schema and name.</summary>
    public required string Table { get; init; }

    /// <summary>How it came to be looked at: <c>Selected</c>, <c>Dependent</c>, <c>Parent</c> or <c>Link</c>.</summary>
    public required string Role { get; init; }

    /// <summary>Rows that were missing.</summary>
    public required long Inserted { get; init; }

    /// <summary>Rows that were there, with other values.</summary>
    public required long Updated { get; init; }

    /// <summary>Rows that were not restored because a living row holds a unique value of theirs, or because their parent was not.</summary>
    public required long Skipped { get; init; }

    /// <summary>Rows that were there already, and were left as they are.</summary>
    public required long Present { get; init; }

    /// <summary>Of <see cref="Present"/>, those that are not as in the backup.</summary>
    public required long Different { get; init; }

    /// <summary>What is to be known of it, as sentences.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Up to five of the rows to insert or update: columns and values as text, null for NULL.</summary>
    public required IReadOnlyList<IReadOnlyDictionary<string, string?>> Samples { get; init; }

    /// <summary>False when it was only looked at.</summary>
    public bool IsDone { get; internal set; }

    /// <summary>Takes the rows out again; null when nothing was done.</summary>
    public string? UndoFile { get; internal set; }

    /// <summary>The backup's file name.</summary>
    public required string Backup { get; init; }

    /// <summary>The moment whose rows they are, UTC.</summary>
    public required DateTimeOffset StateOf { get; init; }

    public override string ToString() => $"{Table}: {Inserted} inserted, {Updated} updated, {Skipped} skipped, {Present} there";
}
