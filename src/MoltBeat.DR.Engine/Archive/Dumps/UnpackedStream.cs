using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>
/// Decompresses, and reaches its end only when the compressed bytes reached theirs as they should, their checksum included.
/// .NET's GZipStream takes a file that was cut short for one that has ended, so its trailer is compared here.
/// </summary>
internal sealed class UnpackedStream : ForwardStream
{
    private readonly TailStream packed;
    private readonly Stream unpacked;
    private readonly Crc32? crc;
    private readonly string location;
    private long total;

    private UnpackedStream(TailStream packed, Stream unpacked, Crc32? crc, string location)
    {
        this.packed = packed;
        this.unpacked = unpacked;
        this.crc = crc;
        this.location = location;
    }

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <param name="packed">Owned from now on.</param>
    /// <param name="location">For errors.</param>
    public static UnpackedStream Gzip(Stream packed, string location)
    {
        var tail = new TailStream(packed);
        return new UnpackedStream(tail, new GZipStream(tail, CompressionMode.Decompress, leaveOpen: true), new Crc32(), location);
    }

    /// <param name="packed">Owned from now on.</param>
    /// <param name="location">For errors.</param>
    public static UnpackedStream Zstd(Stream packed, string location)
    {
        var tail = new TailStream(packed);
        return new UnpackedStream(tail, new DecompressionStream(tail, checkEndOfStream: true, leaveOpen: true), null, location);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            var n = await unpacked.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            crc?.Append(buffer.Span[..n]);
            total += n;
            if (n == 0 && buffer.Length > 0)
            {
                // What lies behind decides too: an encrypted message is right only once it has been read to its end.
                if (await packed.ReadAsync(new byte[1 << 12], cancellationToken).ConfigureAwait(false) > 0)
                {
                    throw DumpErrors.Damaged(location, "something lies behind its compressed data");
                }

                if (crc is not null && !(packed.Tail is var tail && tail.Length == TailStream.Bytes
                    && BinaryPrimitives.ReadUInt32LittleEndian(tail) == crc.GetCurrentHashAsUInt32() && BinaryPrimitives.ReadUInt32LittleEndian(tail[4..]) == unchecked((uint)total)))
                {
                    throw DumpErrors.Damaged(location, "it was cut short, its checksum does not agree, or it is put together out of several compressed files (gunzip and gzip make one of them)");
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
