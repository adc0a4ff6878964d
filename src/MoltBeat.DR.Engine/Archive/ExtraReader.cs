using System.Security.Cryptography;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// A part of something beside the database, decompressed. Never gives more bytes than the contents say, and throws at the
/// end when they are fewer, or not those that were backed up: what it gives is to be believed only once it has ended.
/// </summary>
internal sealed class ExtraReader : ForwardStream
{
    private readonly ArchiveReader archive;
    private readonly ExtraPart part;
    private readonly Stream plain;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long at;
    private bool ended;

    public ExtraReader(ArchiveReader archive, ExtraPart part)
    {
        this.archive = archive;
        this.part = part;
        plain = archive.OpenCompressed(archive.Member(part.Member));
    }

    public override long Length => part.RawBytes;

    public override long Position { get => at; set => throw new NotSupportedException(); }

    /// <exception cref="MoltException"><c>ArchiveDamaged</c>.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (ended || buffer.Length == 0)
        {
            return 0;
        }

        int n;
        try
        {
            n = await plain.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ZstdException or EndOfStreamException)
        {
            throw ArchiveReader.Damaged(archive.Location, $"{part.Member} does not decompress", e);
        }

        at += n;
        if (at > part.RawBytes || (n == 0 && at < part.RawBytes))
        {
            throw ArchiveReader.Damaged(archive.Location, $"{part.Member} does not hold the {part.RawBytes} bytes that the contents give");
        }

        hash.AppendData(buffer.Span[..n]);
        if (n == 0)
        {
            ended = true;
            if (Convert.ToHexStringLower(hash.GetCurrentHash()) != part.Sha256)
            {
                throw ArchiveReader.Damaged(archive.Location, $"{part.Member} does not hold what was backed up");
            }
        }

        return n;
    }

    /// <summary>Reads what is left, so that the digest is compared.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[1 << 16];
        while (await ReadAsync(buffer, cancellationToken).ConfigureAwait(false) > 0)
        {
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            plain.Dispose();
            hash.Dispose();
        }

        base.Dispose(disposing);
    }
}
