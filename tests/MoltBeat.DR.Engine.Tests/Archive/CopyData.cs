using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Tests.Archive;

/// <summary>COPY streams made by hand, and a naive reading of them to compare with.</summary>
internal static class CopyData
{
    /// <summary>A stream of these rows: for binary with header and trailer.</summary>
    public static byte[] File(RowFormat format, IReadOnlyList<byte[]> rows)
    {
        using var file = new MemoryStream();
        if (format == RowFormat.Binary)
        {
            file.Write(CopyScanner.BinaryHeader);
        }

        foreach (var row in rows)
        {
            file.Write(row);
        }

        if (format == RowFormat.Binary)
        {
            file.Write(CopyScanner.BinaryTrailer);
        }

        return file.ToArray();
    }

    /// <summary>A row as its format writes it; a null field is NULL.</summary>
    public static byte[] Row(RowFormat format, params byte[]?[] fields)
    {
        if (format == RowFormat.Text)
        {
            return [.. Encoding.ASCII.GetBytes(string.Join('\t', fields.Select(f => f is null ? @"\N" : Convert.ToHexString(f)))), (byte)'\n'];
        }

        using var row = new MemoryStream();
        var number = new byte[4];
        BinaryPrimitives.WriteInt16BigEndian(number, (short)fields.Length);
        row.Write(number, 0, 2);
        foreach (var field in fields)
        {
            BinaryPrimitives.WriteInt32BigEndian(number, field?.Length ?? -1);
            row.Write(number);
            row.Write(field);
        }

        return row.ToArray();
    }

    /// <summary>The digest by its definition: each row's hash, a text row without its newline, added.</summary>
    public static RowDigest Digest(RowFormat format, IEnumerable<byte[]> rows)
    {
        var sum = default(RowDigest);
        foreach (var row in rows)
        {
            sum += new RowDigest(1, XxHash128.HashToUInt128(format == RowFormat.Text ? row.AsSpan(0, row.Length - 1) : row));
        }

        return sum;
    }

    /// <summary>Rows of random shape: none, few and many fields, NULLs, empty and long ones, lengths that look like a trailer.</summary>
    public static List<byte[]> RandomRows(Random random, RowFormat format, int count, int longest)
    {
        var rows = new List<byte[]>();
        for (var i = 0; i < count; i++)
        {
            var fields = new byte[]?[random.Next(4) switch { 0 => 0, 1 => 1, 2 => random.Next(1, 6), _ => random.Next(1, 40) }];
            for (var f = 0; f < fields.Length; f++)
            {
                fields[f] = random.Next(5) switch { 0 => null, 1 => [], 2 => Filled(0xff, random.Next(1, 9)), _ => Random(random, random.Next(longest)) };
            }

            rows.Add(Row(format, fields));
        }

        return rows;
    }

    public static byte[] Random(Random random, int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Filled(byte value, int length) => [.. Enumerable.Repeat(value, length)];
}

/// <summary>A stream that gives its bytes in pieces of given sizes, as a network does.</summary>
internal sealed class PieceStream(byte[] bytes, Func<int> pieceLength) : Stream
{
    private int _at;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => _at; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        var count = Math.Min(Math.Min(buffer.Length, bytes.Length - _at), Math.Max(1, pieceLength()));
        bytes.AsSpan(_at, count).CopyTo(buffer);
        _at += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
