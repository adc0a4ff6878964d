using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>What becomes of a row to restore, when a living row holds a value of it that must be unique.</summary>
public enum ConflictRule
{
    /// <summary>Nothing is restored at all.</summary>
    Fail,

    /// <summary>The living row stays; the other is not restored, nor what depends on it.</summary>
    Skip,

    /// <summary>The living row takes all values of the other.</summary>
    Update,
}

/// <summary>Which rows to restore, and how.</summary>
public sealed record RowRestoreOptions
{
    /// <summary>The database that lost rows.</summary>
    public required ConnectionSettings Connection { get; init; }

    /// <summary><c>name</c> or <c>schema.name</c>, as PostgreSQL keeps them.</summary>
    public required string Table { get; init; }

    /// <summary>A condition in SQL on the table's rows, as they are in the backup. The operator's own: it runs with the operator's rights, in a read-only transaction.</summary>
    public required string Where { get; init; }

    /// <summary>Restore the missing rows that referred to a restored one, too.</summary>
    public bool IncludeDependents { get; init; }

    /// <summary>Put rows that are there, and are not as in the backup, back to what they were.</summary>
    public bool IncludeChanged { get; init; }

    public ConflictRule OnConflict { get; init; } = ConflictRule.Fail;

    /// <summary>Triggers do not fire. Takes ownership of the tables, and locks that keep others from writing to them until the end.</summary>
    public bool SkipTriggers { get; init; }

    /// <summary>Rows may become others than they were in the backup, by triggers.</summary>
    public bool AllowTriggerChanges { get; init; }

    /// <summary>A file that is not there yet: takes the rows out again.</summary>
    public required string UndoFile { get; init; }

    /// <summary>Wait for a lock at most; the restore then fails and leaves nothing.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Opens encrypted members, and says whose signature is believed.</summary>
    public ArchiveAccess? Access { get; init; }

    /// <summary>The backup that is meant: a copy that turns out to be another is passed over.</summary>
    public BackupInfo? Backup { get; init; }
}
