using System.Buffers;
using System.Threading.Channels;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// Turns COPY streams of one table into parts: digests the rows, compresses them, and cuts a part at the first row end
/// behind the wanted size. Several readers may feed one table at once.
/// </summary>
public sealed class TableWriter
{
    /// <summary>
    /// Rows of this many bytes make one zstd frame. Compressed in one call, and not as a stream that never ends, they cost a
    /// quarter less time, for half a percent of size.
    /// </summary>
    private const int GatherBytes = 2 << 20;

    /// <summary>Pieces that may wait for the compressor.</summary>
    private const int PiecesAhead = 2;

    private readonly ArchiveWriter archive;
    private readonly int number;
    private readonly int compressionLevel;
    private readonly Task head;
    private readonly Action<long, long> progress;
    private readonly List<PartContents> parts = [];
    private readonly Lock partsLock = new();
    private int partNumber;
    private RowDigest total;
    private long rawBytes;

    /// <param name="archive">Where the parts go.</param>
    /// <param name="table">The table.</param>
    /// <param name="format">Form of its rows.</param>
    /// <param name="number">Its number in member names, from 1.</param>
    /// <param name="compressionLevel">zstd's level.</param>
    /// <param name="head">Ends when the members that come before any rows are written.</param>
    /// <param name="progress">Called with rows and raw bytes as they come.</param>
    public TableWriter(ArchiveWriter archive, SourceTable table, RowFormat format, int number, int compressionLevel, Task head, Action<long, long> progress)
    {
        this.archive = archive;
        this.head = head;
        this.number = number;
        this.compressionLevel = compressionLevel;
        this.progress = progress;
        Table = table;
        Format = format;
    }

    public SourceTable Table { get; }

    public RowFormat Format { get; }

    /// <summary><see cref="ArchiveFormat.PartBytes"/>; tests make it small.</summary>
    internal long PartBytes { get; init; } = ArchiveFormat.PartBytes;

    /// <summary>Stored bytes of one part held in memory; tests make it small.</summary>
    internal long PartBufferBytes { get; init; } = ArchiveFormat.PartBytes + ArchiveFormat.PartBufferSlack;

    /// <summary>
    /// Takes one COPY stream to its end. One task reads and digests while another compresses, so that a single stream keeps
    /// more than one core busy.
    /// </summary>
    /// <exception cref="MoltException"><c>CopyDataMalformed</c> when the stream ends inside a row.</exception>
    public async Task WriteAsync(Stream copy, CancellationToken cancellationToken)
    {
        var pieces = Channel.CreateBounded<Piece>(new BoundedChannelOptions(PiecesAhead) { SingleReader = true, SingleWriter = true });
        await RunTogether.RunAsync(cancellationToken, stop =>
            [Task.Run(() => ReadAsync(copy, pieces.Writer, stop), stop), Task.Run(() => CompressAsync(pieces.Reader, stop), stop)]).ConfigureAwait(false);
    }

    private async Task ReadAsync(Stream copy, ChannelWriter<Piece> pieces, CancellationToken cancellationToken)
    {
        var scanner = CopyScanner.For(Format);
        var partStart = scanner.Digest;
        long openBytes = 0;
        var buffer = ArrayPool<byte>.Shared.Rent(GatherBytes);
        var have = 0;
        var skipHeader = Format == RowFormat.Binary ? CopyScanner.BinaryHeader.Length : 0;
        bool more;
        do
        {
            (have, more) = await GatherAsync(copy, buffer, have, cancellationToken).ConfigureAwait(false);
            if (skipHeader > 0)
            {
                if (have < skipHeader || !buffer.AsSpan(0, skipHeader).SequenceEqual(CopyScanner.BinaryHeader))
                {
                    throw Malformed("does not begin as binary COPY data does");
                }

                have -= skipHeader;
                buffer.AsSpan(skipHeader, have).CopyTo(buffer);
                skipHeader = 0;
            }

            var rowsBefore = scanner.Digest.Rows;
            var taken = scanner.Scan(buffer.AsSpan(0, have), out var lastRowEnd);
            var next = ArrayPool<byte>.Shared.Rent(GatherBytes);
            buffer.AsSpan(taken, have - taken).CopyTo(next);
            if (lastRowEnd > 0 && openBytes + lastRowEnd >= PartBytes)
            {
                // Rows that have ended so far are all in this part: the open one, if any, begins the next.
                byte[]? rest = null;
                if (taken > lastRowEnd)
                {
                    rest = ArrayPool<byte>.Shared.Rent(GatherBytes);
                    buffer.AsSpan(lastRowEnd, taken - lastRowEnd).CopyTo(rest);
                }

                await pieces.WriteAsync(new Piece(buffer, lastRowEnd, Minus(scanner.Digest, partStart)), cancellationToken).ConfigureAwait(false);
                partStart = scanner.Digest;
                openBytes = taken - lastRowEnd;
                if (rest is not null)
                {
                    await pieces.WriteAsync(new Piece(rest, taken - lastRowEnd, null), cancellationToken).ConfigureAwait(false);
                }
            }
            else
            {
                openBytes += taken;
                await pieces.WriteAsync(new Piece(buffer, taken, null), cancellationToken).ConfigureAwait(false);
            }

            progress(scanner.Digest.Rows - rowsBefore, taken);
            have -= taken;
            buffer = next;
        }
        while (more);

        if (!scanner.AtRowEnd || (Format == RowFormat.Binary && !scanner.Ended))
        {
            throw Malformed("ends in the middle");
        }

        if (openBytes > 0)
        {
            await pieces.WriteAsync(new Piece([], 0, Minus(scanner.Digest, partStart)), cancellationToken).ConfigureAwait(false);
        }

        pieces.Complete();
    }

    private async Task CompressAsync(ChannelReader<Piece> pieces, CancellationToken cancellationToken)
    {
        using var frames = new FrameCompressor(compressionLevel);
        Part? part = null;
        try
        {
            await foreach (var piece in pieces.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                if (piece.Length > 0)
                {
                    part ??= new Part(this, frames);
                    await part.WriteAsync(piece.Bytes.AsMemory(0, piece.Length), cancellationToken).ConfigureAwait(false);
                }

                if (piece.Bytes.Length > 0)
                {
                    ArrayPool<byte>.Shared.Return(piece.Bytes);
                }

                if (piece.EndOfPart is { } digest)
                {
                    await part!.CompleteAsync(digest, cancellationToken).ConfigureAwait(false);
                    part = null;
                }
            }
        }
        finally
        {
            part?.Dispose();
        }
    }

    /// <summary>What the archive now holds of the table.</summary>
    public TableContents Describe() => new()
    {
        Schema = Table.Schema,
        Name = Table.Name,
        Oid = Table.Oid,
        Format = Format,
        Columns = Table.Columns,
        Types = Table.Types,
        Key = Table.Key,
        Rows = total.Rows,
        Digest = total.ToHex(),
        RawBytes = rawBytes,
        Parts = parts.OrderBy(p => p.Member, StringComparer.Ordinal).ToList(),
        Objects = Table.Objects,
        Parents = Table.Parents,
    };

    private static RowDigest Minus(RowDigest a, RowDigest b) => new(a.Rows - b.Rows, unchecked(a.Sum - b.Sum));

    private static async ValueTask<(int Have, bool More)> GatherAsync(Stream copy, byte[] buffer, int have, CancellationToken cancellationToken)
    {
        // COPY gives a row per read; compressing and digesting row by row would cost more than the rows.
        while (have < buffer.Length)
        {
            var n = await copy.ReadAsync(buffer.AsMemory(have), cancellationToken).ConfigureAwait(false);
            if (n == 0)
            {
                return (have, false);
            }

            have += n;
        }

        return (have, true);
    }

    private MoltException Malformed(string how)
        => new("CopyDataMalformed", ErrorKind.InvalidData, $"The rows of {Table.QuotedName} came damaged from the server: the stream {how}.",
            "Nothing of this backup was kept. Try again; if it happens again, check the server with pg_amcheck.", Table.QuotedName);

    private void Add(PartContents part, RowDigest digest)
    {
        lock (partsLock)
        {
            parts.Add(part);
            total += digest;
            rawBytes += part.RawBytes;
        }
    }

    /// <param name="Bytes">Pooled; the receiver gives it back.</param>
    /// <param name="Length">How much of it is rows.</param>
    /// <param name="EndOfPart">The digest of the part that these bytes end; null inside a part.</param>
    private readonly record struct Piece(byte[] Bytes, int Length, RowDigest? EndOfPart);

    /// <summary>A part that is being made: in memory, unless one huge row makes it outgrow its buffer.</summary>
    private sealed class Part : IDisposable
    {
        private readonly TableWriter table;
        private readonly MemberBuffer buffer;
        private readonly FrameCompressor frames;
        private readonly string name;
        private ArchiveWriter.OpenMember? member;

        public Part(TableWriter table, FrameCompressor frames)
        {
            this.table = table;
            this.frames = frames;
            var number = Interlocked.Increment(ref table.partNumber);
            name = table.archive.Encrypts
                ? ArchiveFormat.PartName(table.number, number, table.Format)
                : ArchiveFormat.PartName(table.number, table.Table.Schema, table.Table.Name, number, table.Format);
            buffer = table.archive.NewBuffer(name);
            if (table.Format == RowFormat.Binary)
            {
                frames.Write(CopyScanner.BinaryHeader, buffer);
                RawBytes = CopyScanner.BinaryHeader.Length;
            }
        }

        /// <summary>Bytes of the COPY file so far, before compression.</summary>
        public long RawBytes { get; private set; }

        public async Task WriteAsync(ReadOnlyMemory<byte> rows, CancellationToken cancellationToken)
        {
            frames.Write(rows.Span, buffer);
            RawBytes += rows.Length;
            if (member is not null || buffer.Length > table.PartBufferBytes)
            {
                await SpillAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        public async Task CompleteAsync(RowDigest digest, CancellationToken cancellationToken)
        {
            if (table.Format == RowFormat.Binary)
            {
                frames.Write(CopyScanner.BinaryTrailer, buffer);
                RawBytes += CopyScanner.BinaryTrailer.Length;
            }

            if (member is null)
            {
                await table.head.WaitAsync(cancellationToken).ConfigureAwait(false);
                await table.archive.AddAsync(buffer, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await member.CompleteAsync(cancellationToken).ConfigureAwait(false);
            }

            Dispose();
            table.Add(new PartContents(name, digest.Rows, digest.ToHex(), RawBytes), digest);
        }

        public void Dispose()
        {
            member?.Dispose();
            member = null;
            buffer.Dispose();
        }

        private async Task SpillAsync(CancellationToken cancellationToken)
        {
            if (member is null)
            {
                await table.head.WaitAsync(cancellationToken).ConfigureAwait(false);
                member = await table.archive.OpenAsync(buffer, cancellationToken).ConfigureAwait(false);
            }

            await member.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
