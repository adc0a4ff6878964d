using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>
/// A place that keeps backups. Names are plain file names; records are named by their archive and their own name. Every
/// call is retried within as often as makes sense for the place, and fails with an error that names it.
/// </summary>
public interface IBackupStore : IDisposable
{
    StoreSettings Settings { get; }

    /// <summary>What to call it in messages: a path or a URI.</summary>
    string Location => Settings.Location;

    /// <summary>Looks, before any work is done, whether it can be written to. Changes nothing: a folder that is missing is made with the first archive.</summary>
    /// <returns>Null, or a sentence about something that should be mended.</returns>
    /// <exception cref="MoltException"><c>StoreNotWritable</c>, <c>StoreNotFound</c> and those of connections.</exception>
    Task<string?> CheckWritableAsync(CancellationToken cancellationToken);

    /// <summary>Archives here, as they lie, in no order. A failure ends the listing.</summary>
    IAsyncEnumerable<StoredFile> ListAsync(CancellationToken cancellationToken);

    /// <summary>One archive, as a listing would give it.</summary>
    /// <exception cref="MoltException"><c>BackupNotFound</c>, <c>StoreNotReadable</c>.</exception>
    Task<StoredFile> FindAsync(string name, CancellationToken cancellationToken);

    /// <summary>Opens an archive for reading by position.</summary>
    /// <param name="file">From <see cref="ListAsync"/> or <see cref="FindAsync"/>.</param>
    /// <param name="manifestOnly">Only its end will be read, which may come from a cache.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>BackupNotFound</c>, <c>StoreNotReadable</c>.</exception>
    Task<IArchiveInput> OpenAsync(StoredFile file, bool manifestOnly, CancellationToken cancellationToken);

    /// <summary>Begins a new archive; see <see cref="IArchiveOutput"/> for when it becomes visible.</summary>
    /// <param name="name">Its file name.</param>
    /// <param name="plan">What is known of it beforehand.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>BackupExists</c>, <c>StoreNotWritable</c>, <c>StoreFull</c>.</exception>
    Task<IArchiveOutput> CreateAsync(string name, NewArchive plan, CancellationToken cancellationToken);

    /// <summary>As <see cref="CreateAsync"/>, but what an earlier attempt has brought here is used again, and what this one brings is kept when it fails.</summary>
    /// <remarks>A folder's output begins at what is there already: the caller checks it, and truncates what is wrong.</remarks>
    Task<IArchiveOutput> ResumeAsync(string name, NewArchive plan, CancellationToken cancellationToken);

    /// <summary>Writes a small record beside an archive, whole or not at all. Idempotent under one name.</summary>
    Task PutRecordAsync(string archive, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Removes one record. Idempotent: one that is not there is removed already.</summary>
    /// <exception cref="MoltException"><c>StoreNotWritable</c>, <c>StoreDenied</c>.</exception>
    Task DeleteRecordAsync(string archive, string name, CancellationToken cancellationToken);

    /// <summary>
    /// Names and contents of an archive's records. One that cannot be read comes without content: were it left out, a
    /// pin that is there would protect no more.
    /// </summary>
    IAsyncEnumerable<(string Name, byte[] Content)> RecordsAsync(StoredFile file, CancellationToken cancellationToken);

    /// <summary>Removes an archive, and its records when it is gone. Idempotent: what is not there is removed.</summary>
    /// <exception cref="MoltException"><c>StoreNotWritable</c>, <c>StoreDenied</c>, <c>BackupLocked</c>; the archive is there still.</exception>
    Task DeleteAsync(string name, CancellationToken cancellationToken);

    /// <summary>Until when the place itself refuses to remove an archive; null when it does not. <c>DateTimeOffset.MaxValue</c> for a hold without an end.</summary>
    Task<DateTimeOffset?> LockedUntilAsync(string name, CancellationToken cancellationToken);

    /// <summary>Removes what a crash left behind for archives whose name starts so. Never touches one that is being written.</summary>
    /// <returns>What it removed.</returns>
    Task<IReadOnlyList<string>> SweepAsync(string prefix, CancellationToken cancellationToken);
}

/// <param name="Name">File name.</param>
/// <param name="Location">Path or URI.</param>
/// <param name="Length">Bytes.</param>
public sealed record StoredFile(string Name, string Location, long Length)
{
    /// <summary>Changes whenever the content does; null where the place has no such thing.</summary>
    public string? Version { get; init; }

    /// <summary>Names of its records, where a listing gives them as well; null where they have to be looked up.</summary>
    public IReadOnlyList<string>? Records { get; init; }
}

/// <param name="Created">The time that it will bear.</param>
/// <param name="Expected">About how many bytes it will have, rather too many than too few; 0 when nobody knows.</param>
public sealed record NewArchive(DateTimeOffset Created, long Expected);
