using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>Values of one column, as COPY gives them, of which a row must hold one.</summary>
/// <param name="Column">The column's place among the values of a row.</param>
/// <param name="Values">The values.</param>
internal sealed record WantedValues(int Column, HashSet<byte[]> Values);

/// <summary>
/// A COPY stream of fewer rows: those that hold none of some values are left out on the way, so that the server need not take
/// in a table of gigabytes for the sake of a few rows. It may let rows through that are not wanted; the server looks again.
/// </summary>
internal sealed class RowSieve : Stream
{
    /// <summary>A row longer than this, and all behind it, goes through unseen.</summary>
    private const int LongestRow = 16 << 20;

    private readonly Stream rows;
    private readonly RowFormat format;
    private readonly IReadOnlyList<WantedValues> wanted;
    private readonly HashSet<byte[]>.AlternateLookup<ReadOnlySpan<byte>>[] lookups;
    private byte[] buffer = new byte[1 << 20];
    private int have;
    private int at;
    private int outFrom;
    private int outTo;
    private bool headerSeen;
    private bool ended;
    private bool open;

    /// <param name="rows">A whole COPY file; closed with this.</param>
    /// <param name="format">Its form.</param>
    /// <param name="wanted">A row goes through that meets any of them.</param>
    public RowSieve(Stream rows, RowFormat format, IReadOnlyList<WantedValues> wanted)
    {
        this.rows = rows;
        this.format = format;
        this.wanted = wanted;
        lookups = [.. wanted.Select(w => w.Values.GetAlternateLookup<ReadOnlySpan<byte>>())];
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>A set for <see cref="WantedValues"/>.</summary>
    public static HashSet<byte[]> NewSet() => new(new ByteComparer());

    public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        while (outFrom == outTo)
        {
            if (open && at == have)
            {
                return await rows.ReadAsync(destination, cancellationToken).ConfigureAwait(false);
            }

            if (!Next())
            {
                if (ended && at == have)
                {
                    return 0;
                }

                await FillAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        var n = Math.Min(destination.Length, outTo - outFrom);
        buffer.AsMemory(outFrom, n).CopyTo(destination);
        outFrom += n;
        return n;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override async ValueTask DisposeAsync()
    {
        await rows.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>Finds the next bytes that go through. False when more have to be read.</summary>
    private bool Next()
    {
        if (open || ended)
        {
            return Give(have - at);
        }

        if (!headerSeen && format == RowFormat.Binary)
        {
            if (have - at < CopyScanner.BinaryHeader.Length)
            {
                return false;
            }

            headerSeen = true;
            return Give(CopyScanner.BinaryHeader.Length);
        }

        while (at < have)
        {
            var length = format == RowFormat.Binary ? BinaryRow(buffer.AsSpan(at, have - at), out var pass) : TextRow(buffer.AsSpan(at, have - at), out pass);
            if (length == 0)
            {
                return false;
            }

            if (length < 0)
            {
                // The end, or nothing that a COPY file may hold: the server says what it thinks of it.
                open = true;
                return Give(have - at);
            }

            if (pass)
            {
                return Give(length);
            }

            at += length;
        }

        return false;
    }

    private bool Give(int length)
    {
        (outFrom, outTo) = (at, at + length);
        at += length;
        return length > 0;
    }

    private async Task FillAsync(CancellationToken cancellationToken)
    {
        buffer.AsSpan(at, have - at).CopyTo(buffer);
        have -= at;
        at = outFrom = outTo = 0;
        if (have == buffer.Length)
        {
            if (have >= LongestRow)
            {
                open = true;
                return;
            }

            Array.Resize(ref buffer, buffer.Length * 2);
        }

        var n = await rows.ReadAsync(buffer.AsMemory(have), cancellationToken).ConfigureAwait(false);
        have += n;
        ended = n == 0;
    }

    /// <summary>Length of the row that starts here, 0 when it is not all here, -1 when none does.</summary>
    private int BinaryRow(ReadOnlySpan<byte> bytes, out bool pass)
    {
        pass = false;
        if (bytes.Length < 2)
        {
            return 0;
        }

        int fields = BinaryPrimitives.ReadInt16BigEndian(bytes);
        if (fields < 0)
        {
            return -1;
        }

        var place = 2;
        for (var field = 0; field < fields; field++)
        {
            if (bytes.Length - place < 4)
            {
                return 0;
            }

            var length = BinaryPrimitives.ReadInt32BigEndian(bytes[place..]);
            place += 4;
            if (length < -1)
            {
                return -1;
            }

            if (length >= 0)
            {
                if (length > bytes.Length - place)
                {
                    return 0;
                }

                pass = pass || IsWanted(field, bytes.Slice(place, length));
                place += length;
            }
        }

        return place;
    }

    private int TextRow(ReadOnlySpan<byte> bytes, out bool pass)
    {
        pass = false;
        var end = bytes.IndexOf((byte)'\n');
        if (end < 0)
        {
            return 0;
        }

        var row = bytes[..end];
        for (var field = 0; !pass; field++)
        {
            var tab = row.IndexOf((byte)'\t');
            pass = IsWanted(field, tab < 0 ? row : row[..tab]);
            if (tab < 0)
            {
                break;
            }

            row = row[(tab + 1)..];
        }

        return end + 1;
    }

    private bool IsWanted(int field, ReadOnlySpan<byte> value)
    {
        for (var i = 0; i < lookups.Length; i++)
        {
            if (wanted[i].Column == field && lookups[i].Contains(value))
            {
                return true;
            }
        }

        return false;
    }

    private sealed class ByteComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)XxHash3.HashToUInt64(alternate);
    }
}
