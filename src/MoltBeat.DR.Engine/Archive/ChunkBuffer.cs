using System.Buffers;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// A growing run of bytes in pooled pieces of 1 MB, so that parts of many megabytes neither copy as they grow nor scatter
/// the large-object heap. As a stream it only takes writes.
/// </summary>
public sealed class ChunkBuffer : Stream
{
    private const int ChunkBytes = 1 << 20;
    private readonly List<byte[]> chunks = [];
    private int lastUsed = ChunkBytes;

    public override long Length => chunks.Count == 0 ? 0 : ((long)(chunks.Count - 1) * ChunkBytes) + lastUsed;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Position { get => Length; set => throw new NotSupportedException(); }

    public IEnumerable<ReadOnlyMemory<byte>> Pieces()
    {
        for (var i = 0; i < chunks.Count; i++)
        {
            yield return chunks[i].AsMemory(0, i == chunks.Count - 1 ? lastUsed : ChunkBytes);
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            if (lastUsed == ChunkBytes)
            {
                chunks.Add(ArrayPool<byte>.Shared.Rent(ChunkBytes));
                lastUsed = 0;
            }

            var taken = Math.Min(buffer.Length, ChunkBytes - lastUsed);
            buffer[..taken].CopyTo(chunks[^1].AsSpan(lastUsed));
            lastUsed += taken;
            buffer = buffer[taken..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Forgets the bytes and gives the pieces back to the pool.</summary>
    public void Clear()
    {
        foreach (var chunk in chunks)
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }

        chunks.Clear();
        lastUsed = ChunkBytes;
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        Clear();
        base.Dispose(disposing);
    }
}
