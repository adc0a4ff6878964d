using System.Formats.Tar;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Archive;

public sealed class TarHeaderTests : IDisposable
{
    private static readonly DateTimeOffset s_time = new(2026, 1, 31, 12, 30, 45, TimeSpan.Zero);

    private readonly string _folder = Directory.CreateTempSubdirectory("molt-tar-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Names =>
    [
        "index",
        new string('a', 100),
        "data/" + new string('b', 95),
        "data/" + new string('c', 96) + "/0001.copybin.zst",
        new string('d', 155) + "/" + new string('e', 99),
        "data/1_" + new string('f', 40) + "." + new string('g', 60) + "/0001.copybin.zst",
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Is_read_alike_by_tar_by_dotnet_and_by_ourselves(string name)
    {
        var path = Path.Combine(_folder, "x.tar");
        await File.WriteAllBytesAsync(path, [.. TarHeader.Build(name, 3, s_time), .. "abc"u8, .. new byte[TarHeader.Padding(3)], .. new byte[1024]], Cancel);
        Assert.Equal((name, 3L), TarHeader.Parse((await File.ReadAllBytesAsync(path, Cancel)).AsSpan(0, 512)));

        await using (var reader = new TarReader(File.OpenRead(path)))
        {
            var entry = (await reader.GetNextEntryAsync(cancellationToken: Cancel))!;
            Assert.Equal((name, 3L, TarEntryType.RegularFile, s_time), (entry.Name, entry.Length, entry.EntryType, entry.ModificationTime));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, entry.Mode);
            Assert.Null(await reader.GetNextEntryAsync(cancellationToken: Cancel));
        }

        var listed = await Tool.RunAsync("tar", ["--utc", "--full-time", "-tvf", path], cancel: Cancel);
        Assert.Equal($"-rw------- root/root 3 2026-01-31 12:30:45 {name}", string.Join(' ', listed.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
    }

    [Theory]
    [InlineData(0L)]
    [InlineData(511L)]
    [InlineData((1L << 33) - 1)]
    [InlineData(1L << 33)]
    [InlineData(12_345_678_901_234L)]
    public async Task Sizes_of_any_length_are_read_alike(long length)
    {
        var header = TarHeader.Build("data/1_public.t/0001.copy.zst", length, s_time);
        Assert.Equal(("data/1_public.t/0001.copy.zst", length), TarHeader.Parse(header));

        // A sparse file: nothing of that length is on the disk.
        var path = Path.Combine(_folder, "x.tar");
        await using (var file = File.Create(path))
        {
            file.Write(header);
            file.SetLength(512 + length + TarHeader.Padding(length) + 1024);
        }

        var listed = await Tool.RunAsync("tar", ["-tvf", path], cancel: Cancel);
        Assert.Contains($" {length.ToString(CultureInfo.InvariantCulture)} 2026-", listed, StringComparison.Ordinal);
        await using var reader = new TarReader(File.OpenRead(path));
        Assert.Equal(length, (await reader.GetNextEntryAsync(cancellationToken: Cancel))!.Length);
    }

    [Fact]
    public async Task An_executable_member_is_so_for_its_owner_alone()
    {
        var path = Path.Combine(_folder, "x.tar");
        await File.WriteAllBytesAsync(path, [.. TarHeader.Build("restore.sh", 0, s_time, executable: true), .. new byte[1024]], Cancel);
        Assert.StartsWith("-rwx------ ", await Tool.RunAsync("tar", ["-tvf", path], cancel: Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_one_flipped_bit_is_noticed()
    {
        var header = TarHeader.Build("data/1_public.t/0001.copy.zst", 12345, s_time);
        for (var bit = 0; bit < header.Length * 8; bit++)
        {
            header[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.True(TarHeader.Parse(header) is null, $"bit {bit % 8} of byte {bit / 8}");
            header[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Noise_is_no_header()
    {
        var random = new Random(1);
        for (var i = 0; i < 1000; i++)
        {
            Assert.Null(TarHeader.Parse(CopyData.Random(random, 512)));
        }

        Assert.Null(TarHeader.Parse(new byte[512]));
        Assert.Null(TarHeader.Parse(new byte[100]));
    }

    [Fact]
    public void A_name_that_does_not_fit_is_refused_and_not_cut() =>
        Assert.Throws<ArgumentException>(() => TarHeader.Build(new string('x', 101), 0, s_time));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
