using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application;

/// <summary>Something of an application's beside its database, that a backup takes along: .env files, Redis keys, a folder.</summary>
public interface ICapture
{
    /// <summary>What kind of thing it is.</summary>
    ExtraKind Kind { get; }

    /// <summary>What it is called in the plan, and in errors.</summary>
    string Name { get; }

    /// <summary>Looks, before any work is done, whether it can be read at all.</summary>
    /// <param name="encrypts">Whether the archive encrypts its members.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">It can not, and the backup should not begin.</exception>
    Task PrepareAsync(bool encrypts, CancellationToken cancellationToken);

    /// <summary>Writes it into the archive, in members of its own.</summary>
    /// <returns>What was written; with a reason when there is nothing, because it may be missing and is.</returns>
    /// <exception cref="MoltException">It cannot be read, and the backup must not be made without it.</exception>
    Task<ExtraContents> CaptureAsync(ArchiveWriter archive, IOperationObserver observer, CancellationToken cancellationToken);
}
