using System.Text;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Archive;

public class CopyScannerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public void Finds_the_same_rows_wherever_the_stream_is_split(RowFormat format)
    {
        List<byte[]> rows =
        [
            CopyData.Row(format, [1, 2, 3], null, []),
            CopyData.Row(format),
            CopyData.Row(format, [0xff, 0xff], [0xff, 0xff, 0xff, 0xff]),
            CopyData.Row(format, new byte[70]),
        ];
        var bytes = CopyData.File(format, rows)[(format == RowFormat.Binary ? CopyScanner.BinaryHeader.Length : 0)..];
        for (var first = 0; first <= bytes.Length; first++)
        {
            for (var second = first; second <= bytes.Length; second++)
            {
                var scanner = CopyScanner.For(format);
                Feed(scanner, bytes, first, second);
                Assert.True(scanner.AtRowEnd, $"{first} {second}");
                Assert.Equal(format == RowFormat.Binary, scanner.Ended);
                Assert.Equal(CopyData.Digest(format, rows), scanner.Digest);
            }
        }
    }

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public async Task Agrees_with_a_naive_parser_on_random_rows_in_random_pieces(RowFormat format)
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var rows = CopyData.RandomRows(random, format, random.Next(0, 60), random.Next(1, 400));
            var file = CopyData.File(format, rows);
            var (digest, bytes) = await RowCounter.CountAsync(new PieceStream(file, () => random.Next(1, 50)), format, file.Length, null, Cancel);
            Assert.Equal(CopyData.Digest(format, rows), digest);
            Assert.Equal(file.Length, bytes);
        }
    }

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public async Task Follows_a_row_that_is_longer_than_any_buffer(RowFormat format)
    {
        var random = new Random(1);
        List<byte[]> rows = [CopyData.Row(format, [1]), CopyData.Row(format, CopyData.Random(random, 5_000_000), null, CopyData.Random(random, 2_000_000)), CopyData.Row(format, [2])];
        var file = CopyData.File(format, rows);
        var (digest, _) = await RowCounter.CountAsync(new PieceStream(file, () => random.Next(1, 100_000)), format, file.Length, null, Cancel);
        Assert.Equal(CopyData.Digest(format, rows), digest);
    }

    [Fact]
    public void Tells_where_the_last_row_ends()
    {
        var scanner = CopyScanner.For(RowFormat.Text);
        Assert.Equal(8, scanner.Scan("a\nbc\ndef"u8, out var end));
        Assert.Equal(5, end);
        Assert.False(scanner.AtRowEnd);
        Assert.Equal(1, scanner.Scan("\n"u8, out end));
        Assert.Equal(1, end);
        Assert.Equal(3, scanner.Digest.Rows);
    }

    [Fact]
    public void Counts_an_escaped_newline_as_part_of_its_row()
    {
        var scanner = CopyScanner.For(RowFormat.Text);
        scanner.Scan("one\\nrow\n"u8, out _);
        Assert.Equal(1, scanner.Digest.Rows);
    }

    [Theory]
    [InlineData("fffe")] // field counts below -1
    [InlineData("8000")]
    [InlineData("0001fffffffe")] // lengths below -1
    [InlineData("000180000000")]
    [InlineData("0002ffffffff80000001")]
    public void Refuses_impossible_counts_and_lengths_wherever_they_are_split(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex + "00000000");
        for (var split = 0; split <= bytes.Length; split++)
        {
            var at = split;
            var e = Assert.Throws<MoltException>(() => Feed(CopyScanner.For(RowFormat.Binary), bytes, at, at));
            Assert.Equal("CopyDataMalformed", e.Id);
        }
    }

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public async Task A_stream_that_ends_inside_a_row_or_before_its_end_mark_is_refused(RowFormat format)
    {
        var rows = new List<byte[]> { CopyData.Row(format, [1, 2], null), CopyData.Row(format, [3]) };
        var file = CopyData.File(format, rows);
        var whole = new HashSet<int> { file.Length };
        if (format == RowFormat.Text)
        {
            whole.UnionWith([0, rows[0].Length]); // text has no end mark: the row count tells
        }

        for (var length = 0; length <= file.Length; length++)
        {
            var count = () => RowCounter.CountAsync(new MemoryStream(file[..length]), format, long.MaxValue, null, Cancel);
            if (whole.Contains(length))
            {
                await count();
            }
            else
            {
                Assert.Equal("CopyDataMalformed", (await Assert.ThrowsAsync<MoltException>(count)).Id);
            }
        }
    }

    [Fact]
    public async Task Bytes_behind_the_end_mark_are_refused()
    {
        byte[] file = [.. CopyData.File(RowFormat.Binary, [CopyData.Row(RowFormat.Binary, [1])]), 0];
        Assert.Equal("CopyDataMalformed", (await Assert.ThrowsAsync<MoltException>(() => RowCounter.CountAsync(new MemoryStream(file), RowFormat.Binary, long.MaxValue, null, Cancel))).Id);
    }

    [Fact]
    public async Task A_stream_longer_than_it_may_be_is_given_up_early()
    {
        var endless = new PieceStream(Encoding.ASCII.GetBytes(new string('x', 20_000_000)), () => 1 << 16);
        var e = await Assert.ThrowsAsync<MoltException>(() => RowCounter.CountAsync(endless, RowFormat.Text, 1000, null, Cancel));
        Assert.Equal("CopyDataMalformed", e.Id);
        Assert.InRange(endless.Position, 0, 4_000_000);
    }

    [Fact]
    public async Task Hands_on_every_byte_once()
    {
        var random = new Random(3);
        var file = CopyData.File(RowFormat.Binary, CopyData.RandomRows(random, RowFormat.Binary, 2000, 2000));
        using var seen = new MemoryStream();
        await RowCounter.CountAsync(new PieceStream(file, () => random.Next(1, 5000)), RowFormat.Binary, file.Length, bytes =>
        {
            seen.Write(bytes.Span);
            return ValueTask.CompletedTask;
        }, Cancel);
        Assert.Equal(file, seen.ToArray());
    }

    [Fact]
    public void The_digest_of_a_set_does_not_depend_on_the_order_but_on_how_often_a_row_is_there()
    {
        byte[] a = CopyData.Row(RowFormat.Text, [1]), b = CopyData.Row(RowFormat.Text, [2]);
        Assert.Equal(CopyData.Digest(RowFormat.Text, [a, b, b]), CopyData.Digest(RowFormat.Text, [b, a, b]));
        Assert.NotEqual(CopyData.Digest(RowFormat.Text, [a, a, b]).Sum, CopyData.Digest(RowFormat.Text, [a, b, b]).Sum);
    }

    private static void Feed(CopyScanner scanner, byte[] bytes, params int[] splits)
    {
        var left = Array.Empty<byte>();
        var from = 0;
        foreach (var to in splits.Append(bytes.Length))
        {
            byte[] piece = [.. left, .. bytes[from..to]];
            left = piece[scanner.Scan(piece, out _)..];
            from = to;
        }
    }
}
