namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>A database that was replaced, and is kept under another name.</summary>
public sealed record PreviousDatabase
{
    /// <summary>The name that it has now.</summary>
    public required string Name { get; init; }

    /// <summary>The name that it had, and that another database has now.</summary>
    public required string Of { get; init; }

    /// <summary>When it was replaced, UTC, by the server's clock.</summary>
    public required DateTimeOffset Replaced { get; init; }

    /// <summary>The id of the backup that took its place; null when that was not one, but a database of before.</summary>
    public string? BackupId { get; init; }

    public required uint Oid { get; init; }

    /// <summary>Bytes on the server's disk; null when the role may not ask.</summary>
    public long? Size { get; init; }

    /// <summary>Sessions in it.</summary>
    public int Sessions { get; init; }

    public required string Server { get; init; }

    public override string ToString() => Name;
}
