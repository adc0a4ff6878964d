namespace MoltBeat.DR.Engine.Archive;

/// <summary>A member's bytes as the archive will hold them, gathered in memory; as a stream it takes the plain ones.</summary>
public sealed class MemberBuffer : Stream
{
    private readonly ChunkBuffer stored = new();
    private IMemberCipher? cipher;

    /// <param name="name">Its name in the tar.</param>
    /// <param name="cipher">Encrypts it; owned by the buffer. Null to store the plain bytes.</param>
    internal MemberBuffer(string name, IMemberCipher? cipher)
    {
        Name = name;
        this.cipher = cipher;
    }

    /// <summary>Its name in the tar.</summary>
    public string Name { get; }

    /// <summary>Stored bytes that are held now.</summary>
    public override long Length => stored.Length;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Position { get => Length; set => throw new NotSupportedException(); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (cipher is null)
        {
            stored.Write(buffer);
        }
        else
        {
            cipher.Write(buffer, stored);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>No more plain bytes will come: appends the end of the encrypted message.</summary>
    internal void Complete()
    {
        cipher?.Complete(stored);
        cipher?.Dispose();
        cipher = null;
    }

    internal IEnumerable<ReadOnlyMemory<byte>> Pieces() => stored.Pieces();

    internal void Clear() => stored.Clear();

    protected override void Dispose(bool disposing)
    {
        cipher?.Dispose();
        cipher = null;
        stored.Dispose();
        base.Dispose(disposing);
    }
}
