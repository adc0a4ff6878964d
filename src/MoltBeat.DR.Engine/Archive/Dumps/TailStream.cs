namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>Passes bytes on, and remembers the last ones: gzip's checksum and length.</summary>
internal sealed class TailStream(Stream inner) : ForwardStream
{
    public const int Bytes = 8;

    private readonly byte[] tail = new byte[Bytes];
    private int known;

    public ReadOnlySpan<byte> Tail => tail.AsSpan(Bytes - known);

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var n = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        Remember(buffer.Span[..n]);
        return n;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Remember(ReadOnlySpan<byte> bytes)
    {
        var last = bytes.Length > Bytes ? bytes[^Bytes..] : bytes;
        tail.AsSpan(last.Length).CopyTo(tail);
        last.CopyTo(tail.AsSpan(Bytes - last.Length));
        known = Math.Min(Bytes, known + last.Length);
    }
}
