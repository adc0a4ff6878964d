namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>A stream whose first bytes have been looked at, and come again.</summary>
internal sealed class HeadStream : ForwardStream
{
    private readonly Stream inner;
    private readonly byte[] head;
    private int at;

    private HeadStream(Stream inner, byte[] head)
    {
        this.inner = inner;
        this.head = head;
    }

    public ReadOnlySpan<byte> Head => head;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <param name="inner">Owned from now on.</param>
    /// <param name="bytes">How many to look at; fewer when there are no more.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<HeadStream> OpenAsync(Stream inner, int bytes, CancellationToken cancellationToken)
    {
        try
        {
            var head = new byte[bytes];
            var n = await inner.ReadAtLeastAsync(head, bytes, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            return new HeadStream(inner, head[..n]);
        }
        catch
        {
            await inner.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (at == head.Length)
        {
            return await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }

        var n = Math.Min(buffer.Length, head.Length - at);
        head.AsMemory(at, n).CopyTo(buffer);
        at += n;
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
}
