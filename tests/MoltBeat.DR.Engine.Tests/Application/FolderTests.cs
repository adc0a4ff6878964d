using System.Formats.Tar;
using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application;

/// <summary>Folders there and back, by us and by stock tar, and what somebody who wants to do harm may put into their tars.</summary>
public sealed class FolderTests : IDisposable
{
    private const UnixFileMode All = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly Scratch scratch = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => scratch.Dispose();

    [Fact]
    public async Task A_folder_comes_back_with_modes_times_links_empty_folders_and_odd_names()
    {
        MakeZoo();
        await using var archive = await ExtrasArchive.MakeAsync([Folder("zoo")]);
        var (plan, results) = await archive.RestoreAsync(new FolderRestore(scratch["new"], force: false));
        Assert.Null(Assert.Single(plan).Problem);
        var result = Assert.IsType<FolderRestoreResult>(Assert.Single(results));
        Assert.Equal(scratch["new/zoo"], result.Target);
        Assert.Equal(await ListAsync(scratch["zoo"]), await ListAsync(scratch["new/zoo"]));
        Assert.Equal(archive.Extras[0].Items, result.Files + result.Folders + result.Links);
        Assert.Equal(["zoo"], Directory.GetFileSystemEntries(scratch["new"]).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Stock_tar_and_zstd_bring_it_back_as_well()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no such tar.");
        MakeZoo();
        await using var archive = await ExtrasArchive.MakeAsync([Folder("zoo")]);
        await File.WriteAllBytesAsync(scratch["archive.tar"], archive.Bytes, Cancel);
        Directory.CreateDirectory(scratch["stock"]);
        await Tool.RunAsync("sh", ["-c", $"cd '{scratch["stock"]}' && tar -xOf ../archive.tar files/zoo.tar.zst | zstd -dc | tar -xp"], cancel: Cancel);
        Assert.Equal(await ListAsync(scratch["zoo"]), await ListAsync(scratch["stock/zoo"]));
    }

    [Fact]
    public async Task Large_files_are_streamed_and_holes_stay_holes()
    {
        Directory.CreateDirectory(scratch["big"]);
        await using (var file = File.Create(scratch["big/sparse"]))
        {
            file.SetLength(64 << 20);
            file.Position = 40 << 20;
            file.Write("in the middle"u8);
        }

        var random = new byte[5 << 20];
        new Random(1).NextBytes(random);
        await File.WriteAllBytesAsync(scratch["big/random"], random, Cancel);
        await using var archive = await ExtrasArchive.MakeAsync([Folder("big")]);
        Assert.InRange(archive.Bytes.Length, 5 << 20, 6 << 20);
        await archive.RestoreAsync(new FolderRestore(scratch["new"], force: false));
        Assert.Equal(random, await File.ReadAllBytesAsync(scratch["new/big/random"], Cancel));
        Assert.Equal(await File.ReadAllBytesAsync(scratch["big/sparse"], Cancel), await File.ReadAllBytesAsync(scratch["new/big/sparse"], Cancel));
        if (OperatingSystem.IsLinux())
        {
            Assert.InRange(int.Parse((await Tool.RunAsync("stat", ["-c", "%b", scratch["new/big/sparse"]], cancel: Cancel)).Trim(), CultureInfo.InvariantCulture), 0, 4096);
        }
    }

    [Fact]
    public async Task What_is_excluded_is_not_there_and_what_is_below_it_is_not_even_looked_at()
    {
        foreach (var path in new[] { "app/keep.txt", "app/app.log", "app/node_modules/x/index.js", "app/dist/out.js", "app/.git/HEAD", "app/uploads/a.bin", "app/uploads/a.bak" })
        {
            scratch.Write(path, path);
        }

        if (OperatingSystem.IsLinux())
        {
            scratch.Write("app/node_modules/secret", "", 0);
        }

        var listener = new Listener();
        await using var archive = await ExtrasArchive.MakeAsync([new FolderCapture(new PlannedFolder("app", scratch["app"]) { Exclude = ["uploads/*.bak", "!dist/"] })], listener: listener);
        Assert.Contains(listener.Lines, l => l.Contains("left out by globs, with all that is in them: app.log, node_modules, uploads/a.bak", StringComparison.Ordinal));
        Assert.Equal(["app/", "app/.git/", "app/.git/HEAD", "app/dist/", "app/dist/out.js", "app/keep.txt", "app/uploads/", "app/uploads/a.bin"], await EntriesAsync(archive));
    }

    [Fact]
    public async Task It_neither_follows_links_nor_enters_the_folder_of_the_backups_nor_waits_for_pipes()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such things.");
        scratch.Write("outside/secret", "outside");
        scratch.Write("app/backups/old.tar", "old");
        scratch.Write("app/backups/deep/old.tar", "old");
        Directory.CreateSymbolicLink(scratch["app/out"], scratch["outside"]);
        Directory.CreateSymbolicLink(scratch["app/round"], ".");
        await Tool.RunAsync("mkfifo", [scratch["app/pipe"]], cancel: Cancel);
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(scratch["app/sock"]));
        await using var archive = await ExtrasArchive.MakeAsync([Folder("app")], stores: [scratch["app/backups/"], "/nowhere"]);
        Assert.Equal(["app/", "app/out -> " + scratch["outside"], "app/round -> ."], await EntriesAsync(archive));
        Assert.Equal(["sockets, devices and pipes, which are not backed up: pipe, sock", "left out, as backups go there: backups"], archive.Extras[0].Notes);
    }

    [Fact]
    public async Task A_folder_in_the_store_itself_is_refused()
    {
        scratch.Write("store/app/x", "x");
        Directory.CreateSymbolicLink(scratch["link"], scratch["store"]);
        foreach (var path in new[] { "store", "store/app", "link" })
        {
            await Workshop.RefusedAsync("FolderIsStore", () => new FolderCapture(new PlannedFolder("x", scratch[path])).PrepareAsync(new CaptureContext(false, [scratch["store"]]), Cancel));
        }
    }

    [Fact]
    public async Task What_cannot_be_read_or_is_too_large_is_refused_before_the_backup_begins()
    {
        scratch.Write("app/file", new string('x', 1000));
        await Refused("FolderTooLarge", new PlannedFolder("app", scratch["app"], MaximumBytes: 999));
        await Refused("FolderNotFound", new PlannedFolder("app", scratch["none"]));
        await Refused("FolderNotFound", new PlannedFolder("app", scratch["app/file"]));
        await new FolderCapture(new PlannedFolder("app", scratch["app"], MaximumBytes: 1000)).PrepareAsync(new CaptureContext(false, []), Cancel);
        if (OperatingSystem.IsLinux())
        {
            // A name that is no UTF-8: we could not open it, and will not leave it out in silence.
            await Tool.RunAsync("sh", ["-c", $"touch \"$(printf '%b' '{scratch["app"]}/bad\\0377name')\""], cancel: Cancel);
            await Refused("FolderNotReadable", new PlannedFolder("app", scratch["app"]));
            await new FolderCapture(new PlannedFolder("app", scratch["app"]) { Exclude = ["bad?name"] }).PrepareAsync(new CaptureContext(false, []), Cancel);
        }

        static Task<MoltException> Refused(string id, PlannedFolder folder) => Workshop.RefusedAsync(id, () => new FolderCapture(folder).PrepareAsync(new CaptureContext(false, []), Cancel));
    }

    [Fact]
    public async Task A_file_that_may_not_be_read_fails_it_and_nothing_is_left_out_in_silence()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        scratch.Write("app/secret", "x", 0);

        // Root may read every file but those that the system itself refuses.
        var folder = Environment.IsPrivilegedProcess ? new FolderCapture(new PlannedFolder("vm", "/proc/sys/vm")) : Folder("app");
        await Workshop.RefusedAsync("FolderNotReadable", async () =>
        {
            await folder.PrepareAsync(new CaptureContext(false, []), Cancel);
            await using var writer = new ArchiveWriter(new Archive.MemoryArchive(), DateTimeOffset.UnixEpoch);
            await folder.CaptureAsync(writer, new Listener(), Cancel);
        });
    }

    [Fact]
    public async Task Files_that_change_vanish_and_come_while_it_is_taken_are_told_and_the_tar_stays_whole()
    {
        foreach (var name in new[] { "grows", "shrinks", "vanishes", "still" })
        {
            await File.WriteAllBytesAsync(scratch.Write("app/" + name, ""), new byte[3 << 20], Cancel);
        }

        var capture = Folder("app");
        await capture.PrepareAsync(new CaptureContext(false, []), Cancel);
        var archive = new Archive.MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        var read = 0;
        var extra = await capture.CaptureAsync(writer, new Listener(_ =>
        {
            // In the midst of the first file (grows), of the second (shrinks), of the third; the fourth was listed and is gone.
            switch (Interlocked.Increment(ref read))
            {
                case 2:
                    File.AppendAllText(scratch["app/grows"], "more");
                    File.Delete(scratch["app/vanishes"]);
                    break;
                case var n when File.Exists(scratch["app/grows"]) && n == 45:
                    using (var file = File.OpenWrite(scratch["app/shrinks"]))
                    {
                        file.SetLength(1 << 20);
                    }

                    break;
            }
        }), Cancel);
        Assert.Contains("written to while they were read", extra.Notes[0], StringComparison.Ordinal);
        Assert.Contains("grows", extra.Notes[0], StringComparison.Ordinal);
        Assert.Contains("shrinks (", extra.Notes[0], StringComparison.Ordinal);
        Assert.DoesNotContain("still", extra.Notes[0], StringComparison.Ordinal);
        Assert.Equal("1 were removed before they could be read", extra.Notes[1]);
        Assert.Equal(4, extra.Items);
    }

    [Fact]
    public async Task A_small_file_that_is_written_to_is_read_again_until_it_is_one_state()
    {
        scratch.Write("app/state", "old");
        var changes = 0;
        var capture = Folder("app");
        await capture.PrepareAsync(new CaptureContext(false, []), Cancel);
        var archive = new Archive.MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        var extra = await capture.CaptureAsync(writer, new Listener(_ =>
        {
            if (changes++ == 0)
            {
                File.WriteAllText(scratch["app/state"], "newer");
            }
        }), Cancel);
        Assert.Empty(extra.Notes);
        await writer.CompleteAsync(m => Archive.Manifests.Of(m), Cancel);
        await using var reader = await ArchiveReader.OpenAsync(new Archive.MemoryArchive(archive.Bytes), Cancel);
        var restore = new FolderRestore(scratch["new"], force: false);
        await restore.RestoreAsync(reader, Assert.Single(await restore.PlanAsync(reader, [extra], Cancel)), new Listener(), Cancel);
        Assert.Equal("newer", await File.ReadAllTextAsync(scratch["new/app/state"], Cancel));
    }

    [Fact]
    public async Task A_folder_that_is_there_is_not_touched_and_with_force_it_is_kept_beside()
    {
        scratch.Write("app/a", "backup");
        await using var archive = await ExtrasArchive.MakeAsync([Folder("app")]);
        scratch.Write("new/app/b", "present");
        var (plan, results) = await archive.RestoreAsync(new FolderRestore(scratch["new"], force: false));
        Assert.Equal("FolderExists", Assert.Single(plan).Problem!.Id);
        Assert.Empty(results);
        Assert.Equal([scratch["new/app/b"]], Directory.GetFiles(scratch["new"], "*", SearchOption.AllDirectories));

        (_, results) = await archive.RestoreAsync(new FolderRestore(scratch["new"], force: true));
        var result = Assert.IsType<FolderRestoreResult>(Assert.Single(results));
        Assert.Equal("backup", await File.ReadAllTextAsync(scratch["new/app/a"], Cancel));
        Assert.False(File.Exists(scratch["new/app/b"]));
        Assert.Equal("present", await File.ReadAllTextAsync(Path.Combine(result.Kept!, "b"), Cancel));
        Assert.Equal(2, Directory.GetFileSystemEntries(scratch["new"]).Length);

        // An empty one is as good as none.
        Directory.CreateDirectory(scratch["empty/app"]);
        (_, results) = await archive.RestoreAsync(new FolderRestore(scratch["empty"], force: false));
        Assert.Null(Assert.IsType<FolderRestoreResult>(Assert.Single(results)).Kept);
    }

    [Fact]
    public async Task A_link_in_the_place_of_the_folder_is_not_written_through()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need rights there.");
        scratch.Write("app/a", "backup");
        await using var archive = await ExtrasArchive.MakeAsync([Folder("app")]);
        Directory.CreateDirectory(scratch["victim"]);
        Directory.CreateDirectory(scratch["new"]);
        Directory.CreateSymbolicLink(scratch["new/app"], scratch["victim"]);
        Assert.Equal("FolderExists", Assert.Single((await archive.RestoreAsync(new FolderRestore(scratch["new"], force: false))).Plan).Problem!.Id);
        await archive.RestoreAsync(new FolderRestore(scratch["new"], force: true));
        Assert.Empty(Directory.GetFileSystemEntries(scratch["victim"]));
        Assert.Equal("backup", await File.ReadAllTextAsync(scratch["new/app/a"], Cancel));
    }

    public static TheoryData<string> Tricks =>
    [
        "absolute", "up", "up inside", "other top", "empty part", "dot", "through a link", "through a link to a file", "link over folder", "hard link outside",
        "hard link up", "hard link to a link", "twice", "twice by case of kinds", "no folder before", "device", "pipe", "unknown kind", "global header", "short", "garbage", "top is a link", "top is a file",
    ];

    [Theory]
    [MemberData(nameof(Tricks))]
    public async Task A_hostile_tar_is_refused_and_leaves_nothing(string trick)
    {
        var victim = scratch.Write("victim/file", "untouched");
        using var bytes = new MemoryStream();
        await using (var tar = new TarWriter(bytes, TarEntryFormat.Pax, leaveOpen: true))
        {
            void Folder(string name) => tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, name));
            void File(string name) => tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream("evil"u8.ToArray()) });
            void Link(TarEntryType kind, string name, string target) => tar.WriteEntry(new PaxTarEntry(kind, name) { LinkName = target });
            if (!trick.StartsWith("top", StringComparison.Ordinal))
            {
                Folder("app/");
                File("app/first");
            }

            switch (trick)
            {
                case "absolute":
                    File(victim);
                    break;
                case "up":
                    File("app/../../victim/file");
                    break;
                case "up inside":
                    File("app/x/../y");
                    break;
                case "other top":
                    File("victim/file");
                    break;
                case "empty part":
                    File("app//x");
                    break;
                case "dot":
                    File("app/./x");
                    break;
                case "through a link":
                    Link(TarEntryType.SymbolicLink, "app/out", scratch["victim"]);
                    File("app/out/file");
                    break;
                case "through a link to a file":
                    Link(TarEntryType.SymbolicLink, "app/out", victim);
                    File("app/out");
                    break;
                case "link over folder":
                    Folder("app/out/");
                    Link(TarEntryType.SymbolicLink, "app/out", scratch["victim"]);
                    break;
                case "hard link outside":
                    Link(TarEntryType.HardLink, "app/out", victim);
                    break;
                case "hard link up":
                    Link(TarEntryType.HardLink, "app/out", "app/../../victim/file");
                    break;
                case "hard link to a link":
                    Link(TarEntryType.SymbolicLink, "app/out", victim);
                    Link(TarEntryType.HardLink, "app/again", "app/out");
                    break;
                case "twice":
                    File("app/first");
                    break;
                case "twice by case of kinds":
                    Folder("app/first/");
                    break;
                case "no folder before":
                    File("app/x/y");
                    break;
                case "device":
                    tar.WriteEntry(new PaxTarEntry(TarEntryType.CharacterDevice, "app/null") { DeviceMajor = 1, DeviceMinor = 3 });
                    break;
                case "pipe":
                    tar.WriteEntry(new PaxTarEntry(TarEntryType.Fifo, "app/pipe"));
                    break;
                case "global header":
                    tar.WriteEntry(new PaxGlobalExtendedAttributesTarEntry(new Dictionary<string, string> { ["path"] = "/etc/evil" }));
                    break;
                case "top is a link":
                    Link(TarEntryType.SymbolicLink, "app", scratch["victim"]);
                    File("app/file");
                    break;
                case "top is a file":
                    File("app");
                    break;
            }
        }

        var content = bytes.ToArray();
        if (trick == "unknown kind")
        {
            content = Retyped(content, (byte)'S');
        }
        else if (trick == "short")
        {
            content = content[..(content.Length - 1024 - 512)];
        }
        else if (trick == "garbage")
        {
            content = [.. content.AsSpan(0, content.Length - 1024), .. Enumerable.Repeat((byte)'x', 1024)];
        }

        await using var archive = await ExtrasArchive.OfTarAsync("app", content, 3);
        var error = await Workshop.RefusedAsync("FolderEntryRefused", () => archive.RestoreAsync(new FolderRestore(scratch["new"], force: true)));
        Assert.NotEmpty(error.Remedy!);
        Assert.Empty(Directory.GetFileSystemEntries(scratch["new"]));
        Assert.Equal("untouched", await System.IO.File.ReadAllTextAsync(victim, Cancel));
        Assert.Equal([victim], Directory.GetFileSystemEntries(scratch["victim"]));
    }

    [Fact]
    public async Task A_tar_that_holds_more_or_fewer_things_than_the_contents_say_is_not_put_in_place()
    {
        scratch.Write("app/a", "x");
        await using var archive = await ExtrasArchive.MakeAsync([Folder("app")]);
        var restore = new FolderRestore(scratch["new"], force: false);
        var item = Assert.Single(await restore.PlanAsync(archive.Reader, [archive.Extras[0] with { Items = 7 }], Cancel));
        await Workshop.RefusedAsync("ArchiveDamaged", () => restore.RestoreAsync(archive.Reader, item, new Listener(), Cancel));
        var forged = archive.Extras[0] with { Parts = [archive.Extras[0].Parts[0] with { Sha256 = new string('0', 64) }] };
        item = Assert.Single(await restore.PlanAsync(archive.Reader, [forged], Cancel));
        await Workshop.RefusedAsync("ArchiveDamaged", () => restore.RestoreAsync(archive.Reader, item, new Listener(), Cancel));
        Assert.Empty(Directory.GetFileSystemEntries(scratch["new"]));
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    public async Task A_forged_name_of_a_folder_leads_nowhere(string name)
    {
        scratch.Write("app/a", "x");
        await using var archive = await ExtrasArchive.MakeAsync([Folder("app")]);
        Directory.CreateDirectory(scratch["new"]);
        var item = Assert.Single(await new FolderRestore(scratch["new"], force: true).PlanAsync(archive.Reader, [archive.Extras[0] with { Name = name }], Cancel));
        Assert.Equal("FolderEntryRefused", item.Problem!.Id);
    }

    [Fact]
    public async Task A_restore_that_is_stopped_leaves_nothing_whatever_modes_it_has_given_already()
    {
        MakeZoo();
        await using var archive = await ExtrasArchive.MakeAsync([Folder("zoo")]);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var restore = new FolderRestore(scratch["new"], force: false);
        var item = Assert.Single(await restore.PlanAsync(archive.Reader, archive.Extras, Cancel));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => restore.RestoreAsync(archive.Reader, item, new Listener(calls =>
        {
            if (calls == 3)
            {
                stop.Cancel();
            }
        }), stop.Token));
        Assert.Empty(Directory.GetFileSystemEntries(scratch["new"]));
    }

    [Fact]
    public async Task Setuid_does_not_come_back_and_is_told_and_owners_do_for_root()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Only root gives files away.");
        var program = scratch.Write("app/program", "x");
        Assert.Null(UnixFile.Give(program, "nobody", "daemon"));
        Scratch.Mode(program, All | UnixFileMode.SetUser | UnixFileMode.GroupExecute);
        Directory.CreateDirectory(scratch["app/shared"]);
        Scratch.Mode(scratch["app/shared"], All | UnixFileMode.SetGroup | UnixFileMode.StickyBit);
        scratch.Write("app/numbered", "x");
        Assert.Null(UnixFile.Give(scratch["app/numbered"], "3000000", "3000001"));
        Directory.CreateSymbolicLink(scratch["app/link"], "shared");
        Assert.Null(UnixFile.Give(scratch["app/link"], "nobody", null));
        await using var archive = await ExtrasArchive.MakeAsync([Folder("app")]);
        var (_, results) = await archive.RestoreAsync(new FolderRestore(scratch["new"], force: false));
        Assert.Equal(["the setuid and setgid bits of files were not restored: program"], ((FolderRestoreResult)results[0]).Notes);
        Assert.Equal(All | UnixFileMode.GroupExecute, Scratch.Mode(scratch["new/app/program"]));
        Assert.Equal(All | UnixFileMode.SetGroup | UnixFileMode.StickyBit, Scratch.Mode(scratch["new/app/shared"]));
        Assert.Equal("nobody:daemon", Owner("new/app/program"));
        Assert.Equal("3000000:3000001", Owner("new/app/numbered"));
        Assert.StartsWith("nobody:", Owner("new/app/link"), StringComparison.Ordinal);

        string Owner(string path) => UnixFile.Look(scratch[path])! is var facts ? $"{UnixFile.UserName(facts.Owner)}:{UnixFile.GroupName(facts.Group)}" : "";
    }

    private FolderCapture Folder(string name) => new(new PlannedFolder(name, scratch[name]));

    private void MakeZoo()
    {
        var time = new DateTime(2021, 3, 4, 5, 6, 7, 890, DateTimeKind.Utc).AddTicks(1234);
        string[] names = ["plain.txt", " leading and trailing ", "-rf", "ünïcode 表 😀", "new\nline", "quote'\"`$(x)\\", "{0}", "=", "%", new string('l', 250), "empty"];
        foreach (var name in OperatingSystem.IsWindows() ? names[..1] : names)
        {
            File.SetLastWriteTimeUtc(scratch.Write("zoo/files/" + name, name == "empty" ? "" : name), name.Contains('\n', StringComparison.Ordinal) ? new DateTime(2021, 3, 4, 5, 6, 7, DateTimeKind.Utc) : time.AddHours(name.Length));
        }

        var deep = string.Join('/', Enumerable.Repeat("a-rather-long-name-of-a-folder", 20));
        scratch.Write($"zoo/{deep}/bottom", "deep");
        Directory.CreateDirectory(scratch["zoo/empty"]);
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        scratch.Write("zoo/files/run.sh", "#!/bin/sh\n", All | UnixFileMode.GroupExecute | UnixFileMode.OtherRead);
        scratch.Write("zoo/files/read-only", "x", UnixFileMode.UserRead);
        File.CreateSymbolicLink(scratch["zoo/relative"], "files/plain.txt");
        File.CreateSymbolicLink(scratch["zoo/to new line"], "files/new\nline");
        File.SetLastWriteTimeUtc(scratch["zoo/to new line"], new DateTime(2022, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        File.CreateSymbolicLink(scratch["zoo/dangling"], "../nowhere/ünï code");
        Directory.CreateSymbolicLink(scratch["zoo/absolute"], "/etc");
        UnixFile.Link(scratch["zoo/files/plain.txt"], scratch["zoo/hard"]);
        UnixFile.Link(scratch["zoo/files/plain.txt"], scratch["zoo/files/hard too"]);
        File.SetLastWriteTimeUtc(scratch["zoo/dangling"], time);
        scratch.Write("zoo/closed/inside", "x");
        Scratch.Mode(scratch["zoo/closed"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Directory.SetLastWriteTimeUtc(scratch["zoo/closed"], time);
        Directory.SetLastWriteTimeUtc(scratch["zoo/empty"], time);
        Directory.SetLastWriteTimeUtc(scratch["zoo"], time);
    }

    /// <summary>All that can be seen of a folder: kinds, modes, owners, lengths, times, which names are one file, links' targets, and contents.</summary>
    private static async Task<string> ListAsync(string root)
    {
        var list = new StringBuilder();
        var first = new Dictionary<(ulong, ulong), string>();
        foreach (var entry in new FolderWalk(root, new FolderFilter(["!*"]), []).Entries(Cancel))
        {
            var facts = entry.Facts;
            var same = facts.Links > 1 && facts.Kind == FileKind.Regular ? first.TryAdd(facts.Identity, entry.Relative) ? "first" : first[facts.Identity] : "";
            var content = facts.Kind switch
            {
                FileKind.Link => new FileInfo(entry.Path).LinkTarget,
                FileKind.Regular => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(entry.Path, Cancel))),
                _ => "",
            };
            list.AppendLine(CultureInfo.InvariantCulture, $"{entry.Relative}|{facts.Kind}|{facts.Mode}|{facts.Owner}:{facts.Group}|{(facts.Kind == FileKind.Folder ? 0 : facts.Length)}|{facts.Modified:O}|{same}|{content}");
        }

        return list.ToString();
    }

    private static async Task<List<string>> EntriesAsync(ExtrasArchive archive)
    {
        var names = new List<string>();
        await using var stream = archive.Reader.OpenExtra(archive.Extras[0].Parts[0]);
        await using var tar = new TarReader(stream);
        while (await tar.GetNextEntryAsync(cancellationToken: Cancel) is { } entry)
        {
            names.Add(entry.EntryType == TarEntryType.SymbolicLink ? $"{entry.Name} -> {entry.LinkName}" : entry.Name);
        }

        return names;
    }

    /// <summary>The last header of the tar with another type of entry.</summary>
    private static byte[] Retyped(byte[] tar, byte type)
    {
        for (var at = tar.Length - 1024 - 512; at >= 0; at -= 512)
        {
            if (tar.AsSpan(at + 257, 5).SequenceEqual("ustar"u8))
            {
                tar[at + 156] = type;
                tar.AsSpan(at + 148, 8).Fill((byte)' ');
                var sum = tar.AsSpan(at, 512).ToArray().Sum(b => (int)b);
                Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(tar, at + 148);
                return tar;
            }
        }

        throw new InvalidOperationException();
    }
}
