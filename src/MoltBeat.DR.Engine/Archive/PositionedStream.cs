namespace MoltBeat.DR.Engine.Archive;

/// <summary>A range of an archive as a stream, for inputs that are read by position anyhow.</summary>
internal sealed class PositionedStream(IArchiveInput input, long offset, long length) : ForwardStream
{
    private long at;

    public override long Length => length;

    public override long Position { get => at; set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var n = await input.ReadAtAsync(offset + at, buffer[..(int)Math.Min(buffer.Length, length - at)], cancellationToken).ConfigureAwait(false);
        at += n;
        return n;
    }
}
