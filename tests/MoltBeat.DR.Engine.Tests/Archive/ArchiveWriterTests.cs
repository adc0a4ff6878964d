using System.Formats.Tar;
using MoltBeat.DR.Engine.Archive;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Archive;

public class ArchiveWriterTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Writes_a_tar_whose_members_are_what_was_given()
    {
        var random = new Random(2);
        var given = new Dictionary<string, byte[]>();
        var archive = new MemoryArchive();
        await using var writer = new ArchiveWriter(archive, new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        foreach (var length in new[] { 0, 1, 511, 512, 513, 100_000 })
        {
            given[$"whole-{length}"] = CopyData.Random(random, length);
            await writer.AddAsync($"whole-{length}", given[$"whole-{length}"], Cancel);

            given[$"open-{length}"] = CopyData.Random(random, length);
            using var member = await writer.OpenAsync($"open-{length}", Cancel);
            foreach (var piece in given[$"open-{length}"].Chunk(70))
            {
                await member.WriteAsync(piece, Cancel);
            }

            await member.CompleteAsync(Cancel);
        }

        Assert.False(archive.Committed);
        var manifest = await writer.CompleteAsync(m => Manifests.Of(m), Cancel);
        Assert.True(archive.Committed);

        var bytes = archive.Bytes;
        Assert.Equal(0, bytes.Length % 512);
        using (var tar = new TarReader(new MemoryStream(bytes)))
        {
            var names = new List<string>();
            while (await tar.GetNextEntryAsync(cancellationToken: Cancel) is { } entry)
            {
                names.Add(entry.Name);
                if (given.TryGetValue(entry.Name, out var expected))
                {
                    using var content = new MemoryStream();
                    await (entry.DataStream ?? Stream.Null).CopyToAsync(content, Cancel);
                    Assert.Equal(expected, content.ToArray());
                }
            }

            Assert.Equal([.. manifest.Members.Select(m => m.Name), ArchiveFormat.Manifest, ArchiveFormat.Index], names);
        }

        await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(bytes), Cancel);
        foreach (var (name, expected) in given)
        {
            using var content = new MemoryStream();
            await using var stream = reader.OpenMember(reader.Member(name));
            await stream.CopyToAsync(content, Cancel);
            Assert.Equal(expected, content.ToArray());
        }
    }

    [Fact]
    public async Task Never_mixes_members_of_several_tasks()
    {
        var archive = new MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(async () =>
        {
            if (i % 2 == 0)
            {
                await writer.AddAsync($"m{i}", new byte[i * 100], Cancel);
                return;
            }

            using var member = await writer.OpenAsync($"m{i}", Cancel);
            for (var k = 0; k < i; k++)
            {
                await member.WriteAsync(new byte[100], Cancel);
                await Task.Yield();
            }

            await member.CompleteAsync(Cancel);
        }, Cancel)));
        await writer.CompleteAsync(m => Manifests.Of(m), Cancel);
        await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(archive.Bytes), Cancel);
        foreach (var member in reader.Manifest.Members)
        {
            Assert.Equal(int.Parse(member.Name[1..], null) * 100, member.Length);
            await using var stream = reader.OpenMember(member);
            await stream.CopyToAsync(Stream.Null, Cancel);
        }
    }
}
