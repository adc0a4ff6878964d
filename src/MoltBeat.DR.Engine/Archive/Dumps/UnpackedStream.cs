using ZstdSharp;

namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>Decompresses, and reaches its end only when the compressed bytes reached theirs as they should, their checksum included, and what they come out of has ended without an error.</summary>
internal sealed class UnpackedStream : ForwardStream
{
    private readonly Stream packed;
    private readonly Stream unpacked;
    private readonly string location;

    public UnpackedStream(Stream packed, Func<Stream, Stream> open, string location)
    {
        this.packed = packed;
        this.location = location;
        unpacked = open(packed);
    }

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var n = await unpacked.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            if (n == 0 && buffer.Length > 0)
            {
                // What lies behind decides too: an encrypted message is right only once it has been read to its end.
                if (await packed.ReadAsync(new byte[1 << 12], cancellationToken).ConfigureAwait(false) > 0)
                {
                    throw DumpErrors.Damaged(location, "something lies behind its compressed data");
                }
            }

            return n;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ZstdException)
        {
            throw DumpErrors.Damaged(location, "it cannot be decompressed to its end", e);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            unpacked.Dispose();
            packed.Dispose();
        }

        base.Dispose(disposing);
    }
}
