using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application;

/// <summary>
/// Something of an application's beside its database, that a backup takes along: .env files, Redis keys, a folder. Made for one
/// backup. Prepared before anything is done, and captured once the rows are in the archive and the snapshot is let go.
/// </summary>
public interface ICapture
{
    /// <summary>What kind of thing it is.</summary>
    ExtraKind Kind { get; }

    /// <summary>What it is called in the plan, and in errors; not twice among captures of a kind.</summary>
    string Name { get; }

    /// <summary>About how many bytes it will have, rather too many than too few; 0 when nobody knows. Asked for once it is prepared.</summary>
    long ExpectedBytes => 0;

    /// <summary>Looks, before any work is done, whether it can be read at all.</summary>
    /// <param name="context">What kind of backup it will be.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">It can not, and the backup should not begin.</exception>
    Task PrepareAsync(CaptureContext context, CancellationToken cancellationToken);

    /// <summary>Writes it into the archive, in members of its own: see <see cref="ExtraNames.Member"/> and <see cref="ExtraWriter"/>.</summary>
    /// <returns>What was written; with a reason when there is nothing, because it may be missing and is.</returns>
    /// <exception cref="MoltException">It cannot be read, and the backup must not be made without it.</exception>
    Task<ExtraContents> CaptureAsync(ArchiveWriter archive, IOperationObserver observer, CancellationToken cancellationToken);
}

/// <param name="Encrypts">Whether the archive encrypts its members.</param>
/// <param name="BackupFolders">Absolute paths of folders that the backup goes to.</param>
public sealed record CaptureContext(bool Encrypts, IReadOnlyList<string> BackupFolders);
