using System.Text;
using MoltBeat.DR.Engine.Archive;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Archive;

public class ArchiveIndexTests
{
    private const long Length = 1_000_000;
    private static readonly string s_sha = new('a', 64);

    [Fact]
    public void Comes_back_as_it_was_written()
    {
        var index = new ArchiveIndex(512, 1000, 2048, 70, s_sha);
        Assert.Equal(index, ArchiveIndex.Parse(Tail(Encoding.ASCII.GetString(index.ToBytes())), Length, "x"));
    }

    [Theory]
    [InlineData("moltbeat-archive 2\nmanifest 512 10\nsignature 0 0\n", "ArchiveVersionUnknown")]
    [InlineData("moltbeat-archive 999999999\nmanifest 512 10\nsignature 0 0\n", "ArchiveVersionUnknown")]
    [InlineData("moltbeat-archive 9999999999\nmanifest 512 10\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 01\nmanifest 512 10\nsignature 0 0\n", "ArchiveVersionUnknown")]
    [InlineData("moltbeat-archive -1\nmanifest 512 10\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest -512 10\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 512 -10\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 512 0\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 512 1000000\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 9223372036854775807 10\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 512 9223372036854775807\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 9223372036854775807 9223372036854775807\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 9999999999999999999 10\nsignature 0 0\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 512 10\nsignature 9223372036854775807 1\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 512 10\nsignature 0 9223372036854775807\n", "ArchiveDamaged")]
    [InlineData("moltbeat-archive 1\nmanifest 512 10\n", "ArchiveDamaged")]
    [InlineData("", "ArchiveDamaged")]
    public void Says_what_is_wrong_with_it(string text, string id)
    {
        var tail = Tail(text + $"sha256 {s_sha}\n");
        Assert.Equal(id, Assert.Throws<MoltException>(() => ArchiveIndex.Parse(tail, Length, "x")).Id);
    }

    [Fact]
    public void A_manifest_too_long_to_be_one_is_refused_unread()
    {
        var tail = Tail($"moltbeat-archive 1\nmanifest 512 600000000\nsignature 0 0\nsha256 {s_sha}\n");
        Assert.Equal("ArchiveDamaged", Assert.Throws<MoltException>(() => ArchiveIndex.Parse(tail, 1L << 40, "x")).Id);
    }

    [Fact]
    public void A_file_that_ends_otherwise_is_no_archive()
    {
        byte[] tail = Tail(Encoding.ASCII.GetString(new ArchiveIndex(512, 10, 0, 0, s_sha).ToBytes()));
        foreach (var wrong in new byte[][] { [], tail[1..], [.. tail[..^1], 1], [.. new byte[512], .. tail[512..]], new byte[ArchiveIndex.TailBytes] })
        {
            Assert.Equal("NotAnArchive", Assert.Throws<MoltException>(() => ArchiveIndex.Parse(wrong, Length, "x")).Id);
        }
    }

    private static byte[] Tail(string text) =>
        [.. TarHeader.Build(ArchiveFormat.Index, 512, DateTimeOffset.UnixEpoch), .. Encoding.ASCII.GetBytes(text.TrimEnd().PadRight(0) + "\n").Concat(Enumerable.Repeat((byte)' ', 512)).Take(511), (byte)'\n', .. new byte[1024]];
}
