using System.Runtime.Versioning;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Storage;

[UnsupportedOSPlatform("windows")]
public sealed class LocalStoreHealthTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-health-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_private_folder_with_room_passes_and_nothing_is_left_in_it()
    {
        var result = await CheckAsync(new StoreHealthOptions { NewestSize = 1000 });
        Assert.True(result.Passed);
        Assert.Equal(["Reachable", "Writable", "FreeSpace", "Permissions", "Leftovers"], result.Checks.Select(c => c.Name));
        Assert.All(result.Checks, c => Assert.Equal((HealthStatus.Passed, null), (c.Status, c.Remedy)));
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public async Task A_folder_that_is_not_there_fails_and_the_rest_is_unknown()
    {
        var result = await StoreHealth.Of(StoreSettings.Parse(Path.Combine(_folder, "none"))).CheckAsync(new StoreHealthOptions(), Cancel);
        Assert.Equal("Reachable", Assert.Single(result.Failed).Name);
        Assert.Equal(4, result.Unknown.Count());
    }

    [Fact]
    public async Task A_folder_that_others_may_look_into_fails()
    {
        File.SetUnixFileMode(_folder, (UnixFileMode)0b111_101_000);
        var check = Assert.Single((await CheckAsync()).Failed);
        Assert.Equal(("Permissions", $"chmod 700 '{_folder}'"), (check.Name, check.Remedy));
        Assert.Contains("0750", check.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_has_no_room_for_the_next_backup_fails()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20, Cancel);
        var health = StoreHealth.Of(StoreSettings.Parse(disk.Folder));
        Assert.Equal("FreeSpace", Assert.Single((await health.CheckAsync(new StoreHealthOptions { NewestSize = 950_000 }, Cancel)).Failed).Name);
        Assert.True((await health.CheckAsync(new StoreHealthOptions { NewestSize = 800_000 }, Cancel)).Passed);
    }

    [Fact]
    public async Task A_full_disk_cannot_be_written_and_keeps_no_probe()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20, Cancel);
        await Assert.ThrowsAsync<IOException>(() => File.WriteAllBytesAsync(Path.Combine(disk.Folder, "all"), new byte[2 << 20], Cancel));
        var result = await StoreHealth.Of(StoreSettings.Parse(disk.Folder)).CheckAsync(new StoreHealthOptions(), Cancel);
        Assert.Contains("no space left", Assert.Single(result.Failed, c => c.Name == "Writable").Detail, StringComparison.Ordinal);
        Assert.Single(Directory.GetFileSystemEntries(disk.Folder));
    }

    [Fact]
    public async Task Without_a_backup_the_need_for_space_is_unknown() =>
        Assert.Equal("FreeSpace", Assert.Single((await CheckAsync()).Unknown).Name);

    [Fact]
    public async Task A_check_that_is_not_wanted_is_not_made() =>
        Assert.DoesNotContain("FreeSpace", (await CheckAsync(new StoreHealthOptions { Except = ["freespace"] })).Checks.Select(c => c.Name));

    [Fact]
    public async Task Old_leftovers_fail_and_a_repair_removes_them_alone()
    {
        var old = Write("app_backup_1.tar.partial", TimeSpan.FromDays(2));
        var record = Write("app_backup_1.tar.records/r.json.partial", TimeSpan.FromDays(3));
        var probe = Write(".molt-probe-x", TimeSpan.FromDays(2));
        var young = Write("app_backup_2.tar.partial", TimeSpan.FromHours(1));
        var foreign = Write("other.partial", TimeSpan.FromDays(9));
        var backup = Write("app_backup_1.tar", TimeSpan.FromDays(9));
        var written = Write("app_backup_3.tar.partial", TimeSpan.FromDays(2));
        using var writer = new FileStream(written, FileMode.Open, FileAccess.ReadWrite, FileShare.None);

        var health = StoreHealth.Of(StoreSettings.Parse(_folder));
        var found = await health.CheckAsync(new StoreHealthOptions(), Cancel);
        Assert.Equal(5, found.Leftovers.Count);
        Assert.Contains("4 older than a day, 20 bytes", Assert.Single(found.Failed).Detail, StringComparison.Ordinal);

        var repaired = await health.RepairAsync(found, [.. found.Leftovers], Cancel);
        Assert.Equal(new[] { old, record, probe }.Order(StringComparer.Ordinal), repaired.Leftovers.Where(l => l.Removed).Select(l => l.Location).Order(StringComparer.Ordinal));
        Assert.Contains("1 older than a day", Assert.Single(repaired.Failed).Detail, StringComparison.Ordinal);
        Assert.All(new[] { young, foreign, backup, written }, f => Assert.True(File.Exists(f)));
        Assert.All(new[] { old, record, probe }, f => Assert.False(File.Exists(f)));
    }

    private Task<StoreHealthResult> CheckAsync(StoreHealthOptions? options = null) =>
        StoreHealth.Of(StoreSettings.Parse(_folder)).CheckAsync(options ?? new StoreHealthOptions(), Cancel);

    private string Write(string name, TimeSpan age)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, new byte[5]);
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow - age);
        return path;
    }
}
