namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// Where an archive is written: front to back, once. Nothing is visible under the archive's name before
/// <see cref="CommitAsync"/>; disposing without it leaves nothing. Used by one thread at a time.
/// </summary>
public interface IArchiveOutput : IAsyncDisposable
{
    /// <summary>Bytes appended so far.</summary>
    long Position { get; }

    ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>
    /// Overwrites the header of a member whose length was not known when it began. Between
    /// <see cref="AppendAsync"/> of a header and this call, a store that sends the bytes away holds that block back.
    /// </summary>
    ValueTask PatchAsync(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Makes the archive durable, then visible under its name. Fails when that name is taken meanwhile.</summary>
    Task CommitAsync(CancellationToken cancellationToken);
}

/// <summary>An archive to read, by position. Safe for several readers at once.</summary>
public interface IArchiveInput : IAsyncDisposable
{
    /// <summary>What to call it in messages: a path or a URI.</summary>
    string Location { get; }

    long Length { get; }

    /// <summary>Reads at a position; returns 0 only at the end.</summary>
    ValueTask<int> ReadAtAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken);
}
