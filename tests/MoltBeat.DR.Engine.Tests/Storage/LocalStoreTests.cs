using System.Runtime.Versioning;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Storage;

[UnsupportedOSPlatform("windows")]
public sealed class LocalStoreTests : IDisposable
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly string _root = Directory.CreateTempSubdirectory("molt-store-").FullName;
    private readonly string _folder;
    private readonly LocalStore _store;

    public LocalStoreTests()
    {
        _folder = Path.Combine(_root, "a", "backups");
        _store = new LocalStore(_folder);
    }

    private static NewArchive Some => new(DateTimeOffset.UtcNow, 0);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Folder_and_files_are_the_owners_alone()
    {
        await WriteAsync("x.tar", [1, 2, 3]);
        Assert.Equal(Owner | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder));
        Assert.Equal(Owner, File.GetUnixFileMode(Path.Combine(_folder, "x.tar")));
        await _store.PutRecordAsync("x.tar", "r.json", new byte[] { 1 }, Cancel);
        Assert.Equal(Owner | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(_folder, "x.tar.records")));
        Assert.Equal(Owner, File.GetUnixFileMode(Path.Combine(_folder, "x.tar.records", "r.json")));
    }

    [Theory]
    [InlineData(0b111_101_000, "750")]
    [InlineData(0b111_000_001, "701")]
    [InlineData(0b111_111_111, "777")]
    public async Task A_folder_that_is_open_to_others_is_reported_and_left_alone(int mode, string shown)
    {
        Directory.CreateDirectory(_folder);
        File.SetUnixFileMode(_folder, (UnixFileMode)mode);
        Assert.Contains(shown, await _store.CheckWritableAsync(Cancel), StringComparison.Ordinal);
        Assert.Equal((UnixFileMode)mode, File.GetUnixFileMode(_folder));
    }

    [Fact]
    public async Task A_file_can_be_read_from_the_moment_on_at_which_it_is_there_although_its_writer_has_not_closed_it()
    {
        Directory.CreateDirectory(_folder);
        await using var output = await _store.CreateAsync("x.tar", Some, Cancel);
        await output.AppendAsync(new byte[] { 1, 9, 3, 4 }, Cancel);
        Assert.Equal(["x.tar.partial"], Names());
        await output.CommitAsync(Cancel);
        Assert.Equal(["x.tar"], Names());
        await using var input = await _store.OpenAsync(await _store.FindAsync("x.tar", Cancel), false, Cancel);
        var read = new byte[10];
        Assert.Equal(4, await input.ReadAtAsync(0, read, Cancel));
        Assert.Equal([1, 9, 3, 4], read[..4]);
    }

    [Fact]
    public async Task A_name_that_is_taken_while_it_is_written_is_not_overwritten()
    {
        Directory.CreateDirectory(_folder);
        await using (var output = await _store.CreateAsync("y.tar", Some, Cancel))
        {
            Assert.Equal("BackupExists", (await Assert.ThrowsAsync<MoltException>(() => _store.CreateAsync("y.tar", Some, Cancel))).Id);
            await output.AppendAsync(new byte[] { 2 }, Cancel);
            await File.WriteAllBytesAsync(Path.Combine(_folder, "y.tar"), [7], Cancel);
            Assert.Equal("BackupExists", (await Assert.ThrowsAsync<MoltException>(() => output.CommitAsync(Cancel))).Id);
        }

        Assert.Equal(["y.tar"], Names());
        Assert.Equal([7], await File.ReadAllBytesAsync(Path.Combine(_folder, "y.tar"), Cancel));
    }

    [Fact]
    public async Task Sweeps_what_a_dead_writer_left_and_nothing_else()
    {
        Directory.CreateDirectory(_folder);
        await using var alive = await _store.CreateAsync("app_backup_2.tar", Some, Cancel);
        foreach (var name in new[] { "app_backup_1.tar.partial", "other_backup_1.tar.partial", "app_backup_1.tar", "app_backup_1.partial" })
        {
            await File.WriteAllBytesAsync(Path.Combine(_folder, name), [1], Cancel);
        }

        Assert.Equal([Path.Combine(_folder, "app_backup_1.tar.partial")], await _store.SweepAsync("app_backup_", Cancel));
        Assert.Equal(["app_backup_1.partial", "app_backup_1.tar", "app_backup_2.tar.partial", "other_backup_1.tar.partial"], Names());
        await alive.AppendAsync(new byte[10], Cancel);
        await alive.CommitAsync(Cancel);
        Assert.Contains("app_backup_2.tar", Names());
    }

    [Fact]
    public async Task A_full_disk_is_said_and_leaves_nothing()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20, Cancel);
        var store = new LocalStore(disk.Folder);
        await using (var output = await store.CreateAsync("x.tar", Some, Cancel))
        {
            var e = await Assert.ThrowsAsync<MoltException>(async () =>
            {
                for (var i = 0; i < 50; i++)
                {
                    await output.AppendAsync(new byte[100_000], Cancel);
                }
            });
            Assert.Equal(("StoreFull", ErrorKind.ResourceFull), (e.Id, e.Kind));
        }

        Assert.Empty(Directory.GetFileSystemEntries(disk.Folder));
    }

    [Fact]
    public async Task A_folder_that_vanishes_under_a_backup_is_an_error_of_ours()
    {
        Directory.CreateDirectory(_folder);
        var output = await _store.CreateAsync("x.tar", Some, Cancel);
        await output.AppendAsync(new byte[10], Cancel);
        Directory.Delete(_folder, recursive: true);
        Assert.Equal("StoreNotWritable", (await Assert.ThrowsAsync<MoltException>(() => output.CommitAsync(Cancel))).Id);
        await output.DisposeAsync();
    }

    [Fact]
    public async Task A_file_in_the_folders_place_is_said()
    {
        await File.WriteAllTextAsync(Path.Combine(_root, "file"), "", Cancel);
        foreach (var path in new[] { Path.Combine(_root, "file"), Path.Combine(_root, "file", "below") })
        {
            Assert.Equal("StoreNotWritable", (await Assert.ThrowsAsync<MoltException>(() => new LocalStore(path).CheckWritableAsync(Cancel))).Id);
            Assert.Equal("StoreNotWritable", (await Assert.ThrowsAsync<MoltException>(() => new LocalStore(path).CreateAsync("x.tar", Some, Cancel))).Id);
        }
    }

    [Fact]
    public async Task Looking_whether_a_folder_can_be_written_to_makes_nothing()
    {
        Assert.Null(await _store.CheckWritableAsync(Cancel));
        Assert.Empty(Directory.GetFileSystemEntries(_root));
        Assert.Empty(await _store.SweepAsync("app_", Cancel));
        Assert.Empty(Directory.GetFileSystemEntries(_root));
    }

    [Fact]
    public async Task A_file_system_that_takes_no_writes_is_said_before_anything_is_tried()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20, Cancel, readOnly: true);
        foreach (var path in new[] { disk.Folder, Path.Combine(disk.Folder, "a", "b") })
        {
            var e = await Assert.ThrowsAsync<MoltException>(() => new LocalStore(path).CheckWritableAsync(Cancel));
            Assert.Equal("StoreNotWritable", e.Id);
            Assert.Contains("Read-only", e.Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task A_missing_folder_is_said()
    {
        var e = await Assert.ThrowsAsync<MoltException>(async () =>
        {
            await foreach (var _ in _store.ListAsync(Cancel))
            {
            }
        });
        Assert.Equal(("StoreNotFound", ErrorKind.NotFound), (e.Id, e.Kind));
        Assert.Equal("BackupNotFound", (await Assert.ThrowsAsync<MoltException>(() => _store.FindAsync("x.tar", Cancel))).Id);
    }

    [Theory]
    [InlineData("../x.tar")]
    [InlineData("a/b.tar")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("")]
    public async Task Names_that_lead_elsewhere_are_refused(string name) =>
        await Assert.ThrowsAsync<ArgumentException>(() => _store.FindAsync(name, Cancel));

    [Fact]
    public async Task A_named_pipe_a_folder_and_a_dead_link_are_no_archives_and_stop_nothing()
    {
        Directory.CreateDirectory(_folder);
        await Tool.RunAsync("mkfifo", [Path.Combine(_folder, "pipe.tar")], cancel: Cancel);
        Directory.CreateDirectory(Path.Combine(_folder, "folder.tar"));
        File.CreateSymbolicLink(Path.Combine(_folder, "dead.tar"), "/nowhere/at/all");
        File.CreateSymbolicLink(Path.Combine(_folder, "device.tar"), "/dev/zero");
        Assert.Equal("NotAnArchive", (await OpenAsync("pipe.tar")).Id);
        Assert.Equal("NotAnArchive", (await OpenAsync("folder.tar")).Id);
        Assert.Equal("NotAnArchive", (await OpenAsync("device.tar")).Id);
        Assert.Equal("BackupNotFound", (await OpenAsync("dead.tar")).Id);

        var listed = new List<string>();
        await foreach (var file in _store.ListAsync(Cancel))
        {
            listed.Add(file.Name);
        }

        Assert.Contains("pipe.tar", listed);
    }

    private async Task<MoltException> OpenAsync(string name) =>
        // On its own thread, so that a wait for ever is a failed test and no hung one.
        await Assert.ThrowsAsync<MoltException>(() => Task.Run(() => new BackupCatalog(_store).ReadAsync(name, Cancel), Cancel).WaitAsync(TimeSpan.FromSeconds(20), Cancel));

    private async Task WriteAsync(string name, byte[] content)
    {
        await using var output = await _store.CreateAsync(name, Some, Cancel);
        await output.AppendAsync(content, Cancel);
        await output.CommitAsync(Cancel);
    }

    private List<string> Names() => [.. Directory.GetFiles(_folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
}
