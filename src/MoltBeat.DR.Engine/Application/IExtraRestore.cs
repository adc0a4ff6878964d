using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application;

/// <summary>Brings back one kind of what a backup took along beside the database. Made for one restore.</summary>
public interface IExtraRestore
{
    /// <summary>What it brings back.</summary>
    ExtraKind Kind { get; }

    /// <summary>Finds out what a restore would do and what stands in its way. Changes nothing.</summary>
    /// <param name="archive">The backup, for previews that have to read in it.</param>
    /// <param name="extras">Those of its kind that the backup holds, at least one.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>An item for each thing that is restored by itself, in order.</returns>
    /// <exception cref="MoltException">Its own parameters are at fault, or the archive is; what is wrong with one item belongs into that item.</exception>
    Task<IReadOnlyList<ExtraRestoreItem>> PlanAsync(ArchiveReader archive, IReadOnlyList<ExtraContents> extras, CancellationToken cancellationToken);

    /// <summary>Restores one item. Looks again for what <see cref="PlanAsync"/> looked for: time has passed.</summary>
    /// <param name="archive">The backup; another copy of it than before, perhaps.</param>
    /// <param name="item">From <see cref="PlanAsync"/>, without a problem.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">
    /// It failed. An error of the archive or its store (<c>ArchiveDamaged</c>, <c>StoreUnreachable</c>, …) may only come while nothing
    /// has been changed that a second attempt from another copy would stumble over: that attempt is made.
    /// </exception>
    Task<ExtraRestoreResult> RestoreAsync(ArchiveReader archive, ExtraRestoreItem item, IOperationObserver observer, CancellationToken cancellationToken);
}

/// <summary>One thing that would be restored. Derive from it to keep what <see cref="IExtraRestore.RestoreAsync"/> needs.</summary>
/// <param name="Kind">Of what kind.</param>
/// <param name="Name">What the backup calls it.</param>
/// <param name="Target">Where it would be written to: a path, or a server without its password.</param>
/// <param name="Action">What would be done, as a sentence without its full stop: it is what -WhatIf and the question show. Never a secret.</param>
public record ExtraRestoreItem(ExtraKind Kind, string Name, string Target, string Action)
{
    /// <summary>What stands in the way; null when nothing does.</summary>
    public MoltException? Problem { get; init; }
}

/// <summary>What a restore of something beside the database has done.</summary>
public abstract class ExtraRestoreResult
{
    public abstract ExtraKind Kind { get; }

    /// <summary>What the backup calls it.</summary>
    public required string Name { get; init; }

    /// <summary>Where it was written to.</summary>
    public required string Target { get; init; }

    public string BackupId { get; internal set; } = "";

    /// <summary>When the backup was made, UTC.</summary>
    public DateTimeOffset StateOf { get; internal set; }

    public TimeSpan Duration { get; internal set; }
}
