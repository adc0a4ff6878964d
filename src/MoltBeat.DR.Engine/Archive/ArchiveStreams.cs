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
    /// Appends the header of a member whose length is not known yet. Until <see cref="PatchAsync"/> gives its final bytes, a
    /// store that sends bytes away holds these back. One at a time.
    /// </summary>
    ValueTask AppendOpenAsync(ReadOnlyMemory<byte> header, CancellationToken cancellationToken);

    /// <summary>Overwrites what <see cref="AppendOpenAsync"/> appended, with as many bytes.</summary>
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

    /// <summary>Reads a range from front to back; where reading is by requests, in as few as possible.</summary>
    Stream OpenRange(long offset, long length) => new PositionedStream(this, offset, length);
}
