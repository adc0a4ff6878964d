using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>What retention looks at: one backup in one store.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its file name.</param>
/// <param name="Server">The server's system identifier; null when the backup's role could not read it.</param>
/// <param name="Database">Its database.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Created">When its snapshot was taken, as the manifest has it, UTC.</param>
/// <param name="RawBytes">Bytes of its rows before compression.</param>
public sealed record RetentionItem(string Id, string Name, string? Server, string Database, BackupKind Kind, DateTimeOffset Created, long RawBytes)
{
    /// <summary>Whether its newest verification passed; null when it was never verified.</summary>
    public bool? Verified { get; init; }

    /// <summary>Tables that it has not, or not the rows of.</summary>
    public IReadOnlyCollection<string> LeavesOut { get; init; } = [];

    public PinRecord? Pin { get; init; }

    /// <summary>Who is reading it.</summary>
    public IReadOnlyList<LeaseRecord> Leases { get; init; } = [];

    /// <summary>Until when the store itself keeps it; null when it does not.</summary>
    public DateTimeOffset? LockedUntil { get; init; }
}

/// <summary>Why a backup stays, or that it goes. Scripts may match on these.</summary>
public enum RetentionReason
{
    /// <summary>Its time is up, and newer backups are there that can take its place: the only reason to go.</summary>
    Expired,
    WithinTime,
    KeptForEver,

    /// <summary>It is one of so many of its kind that stay however old they are.</summary>
    OneOfAtLeast,
    NewestVerified,

    /// <summary>No newer backup of the database that stays was ever verified.</summary>
    NothingNewerVerified,

    /// <summary>All newer ones that were verified leave out tables that it holds.</summary>
    NewerOnesLeaveOut,

    /// <summary>All newer ones that were verified have less than half of its rows' bytes: something may have been lost.</summary>
    NewerOnesShrunk,
    Pinned,
    BeingRead,
    ObjectLock,

    /// <summary>It is dated in the future, or before this module was made: a clock was wrong, and its age says nothing.</summary>
    WrongClock,
}

/// <summary>What becomes of one backup.</summary>
/// <param name="Backup">The backup.</param>
/// <param name="Reason">Why.</param>
/// <param name="Text">The same as a sentence for people.</param>
public sealed record RetentionDecision(RetentionItem Backup, RetentionReason Reason, string Text)
{
    public bool Goes => Reason == RetentionReason.Expired;
}
