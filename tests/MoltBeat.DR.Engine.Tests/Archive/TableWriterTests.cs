using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Archive;

public class TableWriterTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public async Task Cuts_parts_at_row_ends_and_they_sum_to_the_table(RowFormat format)
    {
        var random = new Random(5);
        // Longer than what is gathered at once, and with rows that are, too.
        var rows = CopyData.RandomRows(random, format, 6000, 1500);
        rows.Insert(1000, CopyData.Row(format, CopyData.Random(random, 5_000_000)));
        rows.Add(CopyData.Row(format, CopyData.Random(random, 2_400_000)));
        var archive = new MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        var table = Writer(writer, format, partBytes: 300_000);
        await table.WriteAsync(new PieceStream(CopyData.File(format, rows), () => random.Next(1, 9000)), Cancel);

        var contents = table.Describe();
        Assert.True(contents.Parts.Count > 5, $"{contents.Parts.Count} parts");
        await ExpectAsync(archive, writer, contents, format, rows);
    }

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public async Task A_part_that_outgrows_its_buffer_is_streamed_into_the_archive(RowFormat format)
    {
        var random = new Random(6);
        List<byte[]> rows = [CopyData.Row(format, [1]), CopyData.Row(format, CopyData.Random(random, 6_000_000)), CopyData.Row(format, [2])];
        var archive = new MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        var table = Writer(writer, format, partBytes: 100_000, bufferBytes: 1_500_000);
        await table.WriteAsync(new PieceStream(CopyData.File(format, rows), () => random.Next(1, 90_000)), Cancel);
        await ExpectAsync(archive, writer, table.Describe(), format, rows);
    }

    [Theory]
    [InlineData(RowFormat.Text, 0)]
    [InlineData(RowFormat.Binary, 0)]
    [InlineData(RowFormat.Text, 100_000)]
    [InlineData(RowFormat.Binary, 100_000)]
    public async Task Several_readers_feed_one_table(RowFormat format, int bufferBytes)
    {
        var all = new List<byte[]>();
        var archive = new MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        var table = Writer(writer, format, 200_000, bufferBytes);
        var readers = Enumerable.Range(0, 6).Select(seed =>
        {
            var rows = CopyData.RandomRows(new Random(seed), format, seed == 3 ? 0 : 1500, 900);
            all.AddRange(rows);
            return (Func<Task>)(() => table.WriteAsync(new MemoryStream(CopyData.File(format, rows)), Cancel));
        }).ToList();
        await Task.WhenAll(readers.Select(r => Task.Run(r, Cancel)));
        await ExpectAsync(archive, writer, table.Describe(), format, all);
    }

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public async Task A_table_without_rows_has_no_parts(RowFormat format)
    {
        await using var writer = new ArchiveWriter(new MemoryArchive(), DateTimeOffset.UnixEpoch);
        var table = Writer(writer, format, 1000);
        await table.WriteAsync(new MemoryStream(CopyData.File(format, [])), Cancel);
        Assert.Empty(table.Describe().Parts);
        Assert.Equal(0, table.Describe().Rows);
    }

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public async Task A_stream_cut_short_is_refused(RowFormat format)
    {
        var file = CopyData.File(format, [CopyData.Row(format, [1]), CopyData.Row(format, [2, 3])]);
        foreach (var length in new[] { file.Length - 1, file.Length - 3 })
        {
            await using var writer = new ArchiveWriter(new MemoryArchive(), DateTimeOffset.UnixEpoch);
            var e = await Assert.ThrowsAsync<MoltException>(() => Writer(writer, format, 1000).WriteAsync(new MemoryStream(file[..length]), Cancel));
            Assert.Equal("CopyDataMalformed", e.Id);
            Assert.Contains("\"public\".\"t\"", e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100_000)]
    public async Task A_failure_in_the_middle_lets_the_other_writers_end(int bufferBytes)
    {
        await using var writer = new ArchiveWriter(new MemoryArchive(), DateTimeOffset.UnixEpoch);
        var table = Writer(writer, RowFormat.Text, 1_000_000_000, bufferBytes);
        byte[] cut = [.. CopyData.Random(new Random(1), 3_000_000)];
        cut[^1] = (byte)'x';
        await Assert.ThrowsAsync<MoltException>(() => table.WriteAsync(new MemoryStream(cut), Cancel));
        await writer.AddAsync("next", new byte[] { 1 }, Cancel); // would wait for ever had the failure kept the archive
    }

    private static TableWriter Writer(ArchiveWriter archive, RowFormat format, long partBytes, long bufferBytes = 0) => new(archive, new SourceTable
    {
        Oid = 1,
        Schema = "public",
        Name = "t",
        Kind = 'r',
        Persistence = 'p',
        AccessMethod = "heap",
        ExtensionMember = false,
        Readable = true,
        RowsHidden = false,
    }, format, 1, 1, Task.CompletedTask, (_, _) => { })
    {
        PartBytes = partBytes,
        PartBufferBytes = bufferBytes > 0 ? bufferBytes : ArchiveFormat.PartBytes + ArchiveFormat.PartBufferSlack,
    };

    private static async Task ExpectAsync(MemoryArchive archive, ArchiveWriter writer, TableContents contents, RowFormat format, IReadOnlyList<byte[]> rows)
    {
        var expected = CopyData.Digest(format, rows);
        Assert.Equal((expected.Rows, expected.ToHex()), (contents.Rows, contents.Digest));
        Assert.Equal(contents.RawBytes, contents.Parts.Sum(p => p.RawBytes));
        Assert.Equal(contents.Parts.Count, contents.Parts.Select(p => p.Member).Distinct().Count());

        await writer.CompleteAsync(members => Manifests.Of(members, contents.Rows), Cancel);
        await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(archive.Bytes), Cancel);
        var found = default(RowDigest);
        foreach (var part in contents.Parts)
        {
            await using var stream = reader.OpenCompressed(reader.Member(part.Member));
            var (digest, bytes) = await RowCounter.CountAsync(stream, format, part.RawBytes, null, Cancel);
            Assert.Equal((part.Rows, part.Digest, part.RawBytes), (digest.Rows, digest.ToHex(), bytes));
            found += digest;
        }

        Assert.Equal(expected, found);
    }
}

/// <summary>Manifests with nothing of interest but their members.</summary>
internal static class Manifests
{
    public static Manifest Of(IReadOnlyList<MemberInfo> members, long rows = 0) => new()
    {
        FormatVersion = ArchiveFormat.Version,
        Id = new string('0', 32),
        Kind = BackupKind.Manual,
        Database = "d",
        Created = DateTimeOffset.UnixEpoch,
        Completed = DateTimeOffset.UnixEpoch,
        Server = new ServerInfo { Version = "15.1", VersionNumber = 150001, InRecovery = false },
        Tools = new ToolInfo("1.0.0", "15.1"),
        Rows = rows,
        Tables = 1,
        RawBytes = 0,
        Members = members,
    };
}
