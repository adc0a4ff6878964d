using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>A forward stream whose one method serves readers that wait and readers that don't.</summary>
internal abstract class PullStream : ForwardStream
{
    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Reads at least one byte, or 0 at the end.</summary>
    /// <param name="buffer">Where to; not empty.</param>
    /// <param name="async">False: returns completed, having blocked.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public abstract ValueTask<int> PullAsync(Memory<byte> buffer, bool async, CancellationToken cancellationToken);

    public sealed override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        => buffer.IsEmpty ? new(0) : PullAsync(buffer, async: true, cancellationToken);

    // CA2012: a task that is made with async: false is completed.
#pragma warning disable CA2012
    public sealed override int Read(byte[] buffer, int offset, int count)
        => count == 0 ? 0 : PullAsync(buffer.AsMemory(offset, count), async: false, CancellationToken.None).GetAwaiter().GetResult();
#pragma warning restore CA2012
}
