using System.Buffers;
using System.Security.Cryptography;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Reads OpenPGP packets, one behind the other, from a stream.</summary>
/// <param name="inner">Not owned.</param>
internal sealed class PacketSource(Stream inner) : IDisposable
{
    private byte[]? buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
    private int at;
    private int end;

    /// <summary>What the stream itself threw: then it is no fault of the packets.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>The next packet, or null at the stream's end. The packet before has to be read to its end.</summary>
    /// <exception cref="PacketException">What comes is no packet.</exception>
    public async ValueTask<PacketBody?> NextAsync(bool async, CancellationToken cancellationToken)
    {
        var first = await ByteAsync(async, cancellationToken).ConfigureAwait(false);
        if (first < 0)
        {
            return null;
        }

        if ((first & 0x80) == 0)
        {
            throw new PacketException("a packet begins with a byte that none begins with");
        }

        if ((first & 0x40) != 0)
        {
            var packet = new PacketBody(this, first & 0x3F);
            await packet.ReadLengthAsync(async, cancellationToken).ConfigureAwait(false);
            return packet;
        }

        var tag = first >> 2 & 0x0F;
        var bytes = (first & 3) switch { 0 => 1, 1 => 2, 2 => 4, _ => 0 };
        long length = 0;
        for (var i = 0; i < bytes; i++)
        {
            length = length << 8 | await RequireAsync(async, cancellationToken).ConfigureAwait(false);
        }

        return new PacketBody(this, tag, bytes == 0 ? PacketBody.ToTheEnd : length);
    }

    /// <summary>One byte, or -1 at the end.</summary>
    public async ValueTask<int> ByteAsync(bool async, CancellationToken cancellationToken)
    {
        if (at == end)
        {
            at = 0;
            end = await FetchAsync(buffer, async, cancellationToken).ConfigureAwait(false);
            if (end == 0)
            {
                return -1;
            }
        }

        return Held[at++];
    }

    /// <exception cref="PacketException">The stream is at its end.</exception>
    public async ValueTask<byte> RequireAsync(bool async, CancellationToken cancellationToken)
    {
        var b = await ByteAsync(async, cancellationToken).ConfigureAwait(false);
        return b >= 0 ? (byte)b : throw new PacketException("it ends too early");
    }

    public ValueTask<int> ReadAsync(Memory<byte> into, bool async, CancellationToken cancellationToken)
    {
        if (at == end)
        {
            return FetchAsync(into, async, cancellationToken);
        }

        var n = Math.Min(into.Length, end - at);
        Held.AsSpan(at, n).CopyTo(into.Span);
        at += n;
        return new(n);
    }

    public void Dispose()
    {
        if (buffer is not null)
        {
            CryptographicOperations.ZeroMemory(buffer.AsSpan());
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = null;
        }
    }

    private byte[] Held => buffer ?? throw new ObjectDisposedException(nameof(PacketSource));

    private async ValueTask<int> FetchAsync(Memory<byte> into, bool async, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(buffer is null, this);
        try
        {
            return async ? await inner.ReadAsync(into, cancellationToken).ConfigureAwait(false) : inner.Read(into.Span);
        }
        catch (Exception e) when (e is not PacketException)
        {
            Failure = e;
            throw;
        }
    }
}
