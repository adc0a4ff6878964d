using MoltBeat.DR.Engine.Catalog;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>Where rows were found.</summary>
public sealed class FoundRows
{
    /// <summary>As it was asked for.</summary>
    public required string Table { get; init; }

    /// <summary>The newest backup that has the rows; null when none has. Restore-MoltRow takes it.</summary>
    public BackupInfo? Backup { get; init; }

    /// <summary>How many it has; when none has enough, the most that any had.</summary>
    public required long Rows { get; init; }

    /// <summary>Keys of up to 20 of them, as text; of a table without a key, all columns.</summary>
    public required IReadOnlyList<IReadOnlyDictionary<string, string?>> Samples { get; init; }

    /// <summary>The next newer backup, which has them no more; null when the newest that was looked at has them.</summary>
    public BackupInfo? GoneIn { get; init; }

    /// <summary>They were there at this moment, UTC.</summary>
    public DateTimeOffset? LastSeen => Backup?.Created;

    /// <summary>And gone, or not yet there again, at this one.</summary>
    public DateTimeOffset? GoneBy => GoneIn?.Created;

    /// <summary>Backups that were looked at.</summary>
    public required int Looked { get; init; }

    /// <summary>Backups that could not be read: what lies between may be off by them.</summary>
    public required IReadOnlyList<string> NotReadable { get; init; }
}
