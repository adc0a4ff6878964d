namespace MoltBeat.DR.Engine.Encryption;

/// <summary>The content of one OpenPGP packet, whichever way its length is given.</summary>
internal sealed class PacketBody : PullStream
{
    /// <summary>The length of an old packet that goes on to the end of the stream.</summary>
    public const long ToTheEnd = -1;

    private readonly PacketSource source;
    private long left;
    private bool partial;

    internal PacketBody(PacketSource source, int tag, long length = 0)
    {
        this.source = source;
        Tag = tag;
        left = length;
    }

    /// <summary>OpenPGP's number of the packet's kind.</summary>
    public int Tag { get; }

    public override async ValueTask<int> PullAsync(Memory<byte> buffer, bool async, CancellationToken cancellationToken)
    {
        while (left == 0 && partial)
        {
            await ReadLengthAsync(async, cancellationToken).ConfigureAwait(false);
        }

        if (left == 0)
        {
            return 0;
        }

        if (left == ToTheEnd)
        {
            return await source.ReadAsync(buffer, async, cancellationToken).ConfigureAwait(false);
        }

        var n = await source.ReadAsync(buffer.Length > left ? buffer[..(int)left] : buffer, async, cancellationToken).ConfigureAwait(false);
        if (n == 0)
        {
            throw new PacketException("it ends too early");
        }

        left -= n;
        return n;
    }

    /// <summary>Reads the length of the packet, or of its next piece, in the new form.</summary>
    internal async ValueTask ReadLengthAsync(bool async, CancellationToken cancellationToken)
    {
        int first = await source.RequireAsync(async, cancellationToken).ConfigureAwait(false);
        partial = first is >= 224 and < 255;
        if (partial)
        {
            left = 1L << (first & 0x1F);
            return;
        }

        left = first;
        if (first is >= 192 and < 224)
        {
            left = (first - 192) * 256 + 192 + await source.RequireAsync(async, cancellationToken).ConfigureAwait(false);
        }
        else if (first == 255)
        {
            left = 0;
            for (var i = 0; i < 4; i++)
            {
                left = left << 8 | await source.RequireAsync(async, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>All of a packet that has to be small.</summary>
    /// <exception cref="PacketException">It is larger than <paramref name="most"/> bytes.</exception>
    public async ValueTask<byte[]> AllAsync(int most, bool async, CancellationToken cancellationToken)
    {
        var bytes = new byte[most + 1];
        var length = 0;
        while (length < bytes.Length && await PullAsync(bytes.AsMemory(length), async, cancellationToken).ConfigureAwait(false) is > 0 and var n)
        {
            length += n;
        }

        return length <= most ? bytes[..length] : throw new PacketException("a packet is larger than any real one of its kind");
    }

    /// <exception cref="PacketException">The packet is at its end.</exception>
    public async ValueTask<byte> RequireAsync(bool async, CancellationToken cancellationToken)
    {
        var one = new byte[1];
        return await PullAsync(one, async, cancellationToken).ConfigureAwait(false) == 1 ? one[0] : throw new PacketException("a packet is too short");
    }

    public async ValueTask SkipAsync(bool async, CancellationToken cancellationToken)
    {
        var waste = new byte[4096];
        while (await PullAsync(waste, async, cancellationToken).ConfigureAwait(false) > 0)
        {
        }
    }
}
