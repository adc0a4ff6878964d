using System.IO.Compression;
using Org.BouncyCastle.Utilities.Bzip2;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>
/// What a message holds, decrypted as it is read. Our own messages hold literal data; those that gpg makes may have it
/// compressed, or signed. Its end comes only when all of the message agrees.
/// </summary>
internal sealed class OpenedMember : PullStream
{
    private const int Literal = 11;
    private const int Compressed = 8;

    // Signatures of one pass, signatures, markers, padding: about the data, not of it.
    private static readonly int[] s_aside = [4, 2, 10, 21];

    private readonly Stream message;
    private readonly PacketSource outer;
    private readonly PacketBody data;
    private readonly string member;
    private readonly List<(PacketSource Packets, Stream From)> layers = [];
    private PacketBody? compressed;
    private PacketBody? literal;
    private bool finished;

    /// <param name="message">Owned from now on.</param>
    /// <param name="outer">The message's packets; owned too.</param>
    /// <param name="data">The encrypted packet among them.</param>
    /// <param name="key">Is used up at once.</param>
    /// <param name="member">For errors.</param>
    public OpenedMember(Stream message, PacketSource outer, PacketBody data, SessionKey key, string member)
    {
        this.message = message;
        this.outer = outer;
        this.data = data;
        this.member = member;
        Stream plain = data.Tag == OpenPgpOpener.AeadTag ? new OcbData(data, key) : new SealedData(data, key);
        layers.Add((new PacketSource(plain), plain));
    }

    /// <summary>Reads up to where the data begins.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        try
        {
            literal = await FindLiteralAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (IsOfTheBytes(e))
        {
            throw Tampered(e);
        }
    }

    public override async ValueTask<int> PullAsync(Memory<byte> buffer, bool async, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(literal is null, this);
        try
        {
            var n = await literal.PullAsync(buffer, async, cancellationToken).ConfigureAwait(false);
            if (n == 0 && !finished)
            {
                await FinishAsync(async, cancellationToken).ConfigureAwait(false);
                finished = true;
            }

            return n;
        }
        catch (Exception e) when (IsOfTheBytes(e))
        {
            throw Tampered(e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            literal = null;
            foreach (var (packets, from) in Enumerable.Reverse(layers))
            {
                packets.Dispose();
                from.Dispose();
            }

            outer.Dispose();
            message.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task<PacketBody> FindLiteralAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var packet = await layers[^1].Packets.NextAsync(async: true, cancellationToken).ConfigureAwait(false)
                ?? throw new PacketException("there is no data in it");
            if (packet.Tag == Literal)
            {
                // The format, a name with its length, a time: nothing that matters here.
                await packet.RequireAsync(async: true, cancellationToken).ConfigureAwait(false);
                for (var rest = 4 + await packet.RequireAsync(async: true, cancellationToken).ConfigureAwait(false); rest > 0; rest--)
                {
                    await packet.RequireAsync(async: true, cancellationToken).ConfigureAwait(false);
                }

                return packet;
            }

            if (packet.Tag == Compressed && layers.Count == 1)
            {
                Stream plain = await packet.RequireAsync(async: true, cancellationToken).ConfigureAwait(false) switch
                {
                    0 => packet,
                    1 => new DeflateStream(packet, CompressionMode.Decompress),
                    2 => new ZLibStream(packet, CompressionMode.Decompress),
                    3 => new CBZip2InputStream(packet),
                    var other => throw OpenPgpErrors.NotSupported($"it is compressed in a way that is not known ({other})", member),
                };
                layers.Add((new PacketSource(plain), plain));
                compressed = packet;
            }
            else if (Array.IndexOf(s_aside, packet.Tag) >= 0)
            {
                await packet.SkipAsync(async: true, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                throw new PacketException($"it has a packet of kind {packet.Tag} where none is allowed");
            }
        }
    }

    /// <summary>Reads all that is left, at whose end the integrity check is; nothing more that is data may come.</summary>
    private async ValueTask FinishAsync(bool async, CancellationToken cancellationToken)
    {
        foreach (var (packets, _) in Enumerable.Reverse(layers))
        {
            while (await packets.NextAsync(async, cancellationToken).ConfigureAwait(false) is { } packet)
            {
                if (Array.IndexOf(s_aside, packet.Tag) < 0)
                {
                    throw new PacketException("there is more behind its data");
                }

                await packet.SkipAsync(async, cancellationToken).ConfigureAwait(false);
            }

            // The inner of two layers has what the decompressor did not want to read.
            if (compressed is not null && !ReferenceEquals(packets, layers[0].Packets))
            {
                await compressed.SkipAsync(async, cancellationToken).ConfigureAwait(false);
            }
        }

        await data.SkipAsync(async, cancellationToken).ConfigureAwait(false);
        if (await outer.ByteAsync(async, cancellationToken).ConfigureAwait(false) >= 0)
        {
            throw new PacketException("there is more behind its end");
        }
    }

    private bool IsOfTheBytes(Exception e)
        => e is not (MoltException or OperationCanceledException or ObjectDisposedException or OutOfMemoryException) && !ReferenceEquals(e, outer.Failure);

    private MoltException Tampered(Exception e) => OpenPgpErrors.Tampered(member, e is PacketException ? e.Message : "what it holds cannot be decompressed", e);
}
