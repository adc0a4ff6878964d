namespace MoltBeat.DR.Engine.Application;

/// <summary>
/// So many bytes of a file, whatever becomes of it: the length stands in the tar's header before the first byte. Should the file end
/// before, zeros follow, and <see cref="Missing"/> says how many; what is appended meanwhile is not read.
/// </summary>
internal sealed class ExactStream(Stream file, long length, Action<int> read) : Stream
{
    private long at;

    /// <summary>Bytes that the file no longer had.</summary>
    public long Missing { get; private set; }

    public override bool CanRead => true;

    /// <summary>Only so that a tar writer asks for the length, and does not gather everything in memory to find it.</summary>
    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position
    {
        get => at;
        set
        {
            if (value != at)
            {
                throw new NotSupportedException();
            }
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        buffer = buffer[..(int)Math.Min(buffer.Length, length - at)];
        if (buffer.Length == 0)
        {
            return 0;
        }

        var n = Missing > 0 ? 0 : await file.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (n == 0)
        {
            buffer.Span.Clear();
            n = buffer.Length;
            Missing += n;
        }

        at += n;
        read(n);
        return n;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
