using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>A place that keeps backups. Names are plain file names, or <c>archive.records/name</c>.</summary>
public interface IBackupStore
{
    /// <summary>What to call it in messages: a path or a URI.</summary>
    string Location { get; }

    /// <summary>Archives here, as they lie, in no order. Not retried within; a failure ends the listing.</summary>
    IAsyncEnumerable<StoredFile> ListAsync(CancellationToken cancellationToken);

    /// <summary>Opens an archive for reading by position.</summary>
    /// <exception cref="MoltException"><c>BackupNotFound</c>, <c>StoreNotReadable</c>.</exception>
    Task<IArchiveInput> OpenAsync(string name, CancellationToken cancellationToken);

    /// <summary>Begins a new archive; see <see cref="IArchiveOutput"/> for when it becomes visible.</summary>
    /// <exception cref="MoltException"><c>BackupExists</c>, <c>StoreNotWritable</c>, <c>StoreFull</c>.</exception>
    Task<IArchiveOutput> CreateAsync(string name, CancellationToken cancellationToken);

    /// <summary>Writes a small record beside an archive, whole or not at all. Idempotent under one name.</summary>
    Task PutRecordAsync(string archive, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Names and contents of an archive's records; one that cannot be read is left out: a lost record only makes us keep more.</summary>
    IAsyncEnumerable<(string Name, byte[] Content)> RecordsAsync(string archive, CancellationToken cancellationToken);

    /// <summary>Removes what a crash left behind for archives whose name starts so. Never touches one that is being written.</summary>
    /// <returns>What it removed.</returns>
    Task<IReadOnlyList<string>> SweepAsync(string prefix, CancellationToken cancellationToken);
}

/// <param name="Name">File name.</param>
/// <param name="Location">Path or URI.</param>
/// <param name="Length">Bytes.</param>
public sealed record StoredFile(string Name, string Location, long Length);
