using System.Text;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Tests.Backup;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application;

/// <summary>Environment files: only ever encrypted, found and named, and written back without harm.</summary>
public sealed class EnvironmentTests : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly Scratch scratch = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => scratch.Dispose();

    [Fact]
    public async Task Without_encryption_they_are_refused_before_the_backup_begins_and_when_it_is_made()
    {
        var capture = Assert.Single(Find(scratch.Write("app/.env", "KEY=s3cret")));
        var error = await Workshop.RefusedAsync("EnvironmentNeedsRecipient", () => capture.PrepareAsync(new CaptureContext(false, []), Cancel));
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);

        // Whatever was said before: a writer that does not encrypt gets nothing.
        await capture.PrepareAsync(new CaptureContext(true, []), Cancel);
        var archive = new MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        await Workshop.RefusedAsync("EnvironmentNeedsRecipient", () => capture.CaptureAsync(writer, new Failures.Listener(), Cancel));
        Assert.Empty(archive.Bytes);
    }

    [Fact]
    public async Task They_are_taken_with_mode_owner_and_time_and_no_byte_of_them_is_readable()
    {
        var path = scratch.Write("app/.env", "KEY=s3cret\n", Private | UnixFileMode.GroupRead);
        var time = new DateTime(2020, 2, 3, 4, 5, 6, 789, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(path, time);
        await using var archive = await ExtrasArchive.MakeAsync(Find(path), encrypts: true);
        var extra = Assert.Single(archive.Extras);
        var part = Assert.Single(extra.Parts);
        Assert.Equal((ExtraKind.Environment, "app.env", 1L, "environment/app.env.zst"), (extra.Kind, extra.Name, extra.Items, part.Member));
        Assert.Equal((path, OperatingSystem.IsWindows() ? null : "0640", (DateTimeOffset)time), (part.File!.Path, part.File.Mode, part.File.Modified));
        if (OperatingSystem.IsLinux())
        {
            Assert.Equal(Environment.UserName, part.File.Owner);
            Assert.NotEmpty(part.File.Group!);
        }

        Assert.Equal(-1, archive.Bytes.AsSpan().IndexOf("s3cret"u8));
        Assert.Equal(-1, archive.Bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(scratch.Root)));
    }

    [Fact]
    public void Names_tell_files_apart_and_wildcards_find_files_only()
    {
        foreach (var file in new[] { "a/.env", "b/.env", "b/.env.production", "x/b/.env", "a/api.key", "b/api.key" })
        {
            scratch.Write(file, "A=1");
        }

        Directory.CreateDirectory(scratch["b/.env.d"]);
        Assert.Equal(["a.env", "b.env", "b.env.production", "api.key", "b_api.key", "x_b.env"],
            EnvironmentFiles.Find([.. new[] { "*/.env", "b/.env*", "*/*.key", "x/b/.env" }.Select(p => new PlannedFile(scratch[p]))]).Select(c => c.Name));
        Assert.Equal(["mine", "all-env", "all-env.production"],
            EnvironmentFiles.Find([new PlannedFile(scratch["a/.env"]) { Name = "mine" }, new PlannedFile(scratch["b/.env*"]) { Name = "all" }]).Select(c => c.Name));
    }

    [Theory]
    [InlineData("none", "EnvironmentFileNotFound")]
    [InlineData("none*", "EnvironmentFileNotFound")]
    [InlineData("folder", "EnvironmentFileInvalid")]
    [InlineData("pipe", "EnvironmentFileInvalid")]
    [InlineData("huge", "EnvironmentFileTooLarge")]
    [InlineData("secret", "EnvironmentFileNotReadable")]
    [InlineData("dangling", "EnvironmentFileNotFound")]
    public async Task What_cannot_be_taken_is_refused_before_the_backup_begins(string what, string id)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        Directory.CreateDirectory(scratch["folder"]);
        await TestServers.Tool.RunAsync("mkfifo", [scratch["pipe"]], cancel: Cancel);
        scratch.Write("huge", new string('x', EnvironmentFiles.LargestFile + 1));
        scratch.Write("secret", "A=1", 0);
        File.CreateSymbolicLink(scratch["dangling"], "nowhere");

        // Root may read every file but those that the system itself refuses.
        var path = what == "secret" && Environment.IsPrivilegedProcess ? "/proc/sys/vm/compact_memory" : scratch[what];
        await Workshop.RefusedAsync(id, () => Task.FromResult(Find(path)));
    }

    [Fact]
    public async Task A_file_of_exactly_the_largest_size_is_taken_whole()
    {
        var path = scratch.Write("largest", new string('x', EnvironmentFiles.LargestFile));
        await using var archive = await ExtrasArchive.MakeAsync(Find(path), encrypts: true);
        Assert.Equal(EnvironmentFiles.LargestFile, archive.Extras[0].Parts[0].RawBytes);
    }

    [Theory]
    [InlineData(0x1a4, 0x180)] // 0644: 0600
    [InlineData(0x9ff, 0x180)] // 04777: 0600, and no setuid
    [InlineData(0x100, 0x100)] // 0400 stays
    [InlineData(0x080, 0x180)] // 0200: nobody could read it
    public async Task They_come_back_private_and_a_narrower_mode_is_kept(int mode, int restored)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        Assert.SkipWhen((mode & 0x100) == 0 && !Environment.IsPrivilegedProcess, "It could not be read.");
        var path = scratch.Write("app/.env", "KEY=1\n", (UnixFileMode)mode);
        await using var archive = await ExtrasArchive.MakeAsync(Find(path), encrypts: true);
        var target = scratch["new/folder"];
        var (_, results) = await archive.RestoreAsync(new EnvironmentRestore(target, force: false));
        Assert.Equal(EnvironmentRestoreStatus.Written, Assert.IsType<EnvironmentRestoreResult>(Assert.Single(results)).Status);
        Assert.Equal("KEY=1\n", await File.ReadAllTextAsync(Path.Combine(target, ".env"), Cancel));
        Assert.Equal((UnixFileMode)restored, Scratch.Mode(Path.Combine(target, ".env")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, Scratch.Mode(target));
        Assert.Equal(File.GetLastWriteTimeUtc(path), File.GetLastWriteTimeUtc(Path.Combine(target, ".env")));
        Assert.Single(Directory.GetFileSystemEntries(target));
    }

    [Fact]
    public async Task A_file_that_is_there_is_not_touched_and_with_force_it_is_kept_beside()
    {
        var path = scratch.Write("app/.env", "A=1\nB='two'\nC=s3cret-new\nE=5\n");
        await using var archive = await ExtrasArchive.MakeAsync(Find(path), encrypts: true);
        const string Present = "B=two\nC=s3cret-old\nD=4\nE=5\n";
        scratch.Write("app/.env", Present, Private | UnixFileMode.GroupRead);
        var (plan, results) = await archive.RestoreAsync(new EnvironmentRestore(null, force: false));
        Assert.Empty(results);
        var problem = Assert.Single(plan).Problem!;
        Assert.Equal("EnvironmentFileExists", problem.Id);
        Assert.Contains("adds A; removes D; changes C; leaves 2", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", problem.ToString(), StringComparison.Ordinal);
        Assert.Equal(Present, await File.ReadAllTextAsync(path, Cancel));
        Assert.Single(Directory.GetFileSystemEntries(scratch["app"]));

        (plan, results) = await archive.RestoreAsync(new EnvironmentRestore(null, force: true));
        Assert.Contains("adds A; removes D; changes C; leaves 2", Assert.Single(plan).Action, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", plan[0].Action, StringComparison.Ordinal);
        var result = Assert.IsType<EnvironmentRestoreResult>(Assert.Single(results));
        Assert.Equal((EnvironmentRestoreStatus.Replaced, path), (result.Status, result.Target));
        Assert.Equal(["A"], result.Variables.Added);
        Assert.Equal(["D"], result.Variables.Removed);
        Assert.Equal(["C"], result.Variables.Changed);
        Assert.Equal(["B", "E"], result.Variables.Same);
        Assert.Equal("A=1\nB='two'\nC=s3cret-new\nE=5\n", await File.ReadAllTextAsync(path, Cancel));
        Assert.Equal(Present, await File.ReadAllTextAsync(result.Kept!, Cancel));
        Assert.StartsWith(path + ".before_", result.Kept, StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(Private, Scratch.Mode(result.Kept!));
        }

        Assert.Equal(2, Directory.GetFileSystemEntries(scratch["app"]).Length);

        // What is the same already is left alone, forced or not.
        (_, results) = await archive.RestoreAsync(new EnvironmentRestore(null, force: true));
        Assert.Equal(EnvironmentRestoreStatus.Same, Assert.IsType<EnvironmentRestoreResult>(Assert.Single(results)).Status);
        Assert.Equal(2, Directory.GetFileSystemEntries(scratch["app"]).Length);
    }

    [Fact]
    public async Task What_appears_between_the_plan_and_the_restore_is_not_overwritten()
    {
        var path = scratch.Write("app/.env", "A=1");
        await using var archive = await ExtrasArchive.MakeAsync(Find(path), encrypts: true);
        var restore = new EnvironmentRestore(scratch["new"], force: false);
        var item = Assert.Single(await restore.PlanAsync(archive.Reader, archive.Extras, Cancel));
        scratch.Write("new/.env", "B=2");
        await Workshop.RefusedAsync("EnvironmentFileExists", () => restore.RestoreAsync(archive.Reader, item, new Failures.Listener(), Cancel));
        Assert.Equal("B=2", await File.ReadAllTextAsync(scratch["new/.env"], Cancel));
    }

    [Fact]
    public async Task Files_of_one_name_get_the_names_that_tell_them_apart()
    {
        await using var archive = await ExtrasArchive.MakeAsync(Find(scratch.Write("a/.env", "A=1"), scratch.Write("b/.env", "B=2"), scratch.Write("b/key.json", "{}")), encrypts: true);
        var (_, results) = await archive.RestoreAsync(new EnvironmentRestore(scratch["new"], force: false));
        Assert.Equal(["a.env", "b.env", "key.json"], results.Select(r => Path.GetFileName(r.Target)));
    }

    [Theory]
    [InlineData("link")]
    [InlineData("way")]
    [InlineData("folder")]
    [InlineData("gone")]
    public async Task Nothing_is_written_through_a_link_or_over_what_is_no_file(string how)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need rights there.");
        var path = scratch.Write("app/.env", "A=1");
        var victim = scratch.Write("victim", "untouched");
        await using var archive = await ExtrasArchive.MakeAsync(Find(path), encrypts: true);
        File.Delete(path);
        switch (how)
        {
            case "link":
                File.CreateSymbolicLink(path, victim);
                break;
            case "way":
                Directory.Delete(scratch["app"]);
                Directory.CreateDirectory(scratch["elsewhere"]);
                Directory.CreateSymbolicLink(scratch["app"], scratch["elsewhere"]);
                break;
            case "folder":
                Directory.CreateDirectory(path);
                break;
            case "gone":
                Directory.Delete(scratch["app"]);
                break;
        }

        var (plan, results) = await archive.RestoreAsync(new EnvironmentRestore(null, force: true));
        Assert.Empty(results);
        Assert.Equal("EnvironmentPlaceInvalid", Assert.Single(plan).Problem!.Id);
        Assert.Equal("untouched", await File.ReadAllTextAsync(victim, Cancel));
        if (how == "way")
        {
            Assert.Empty(Directory.GetFileSystemEntries(scratch["elsewhere"]));
        }
    }

    [Theory]
    [InlineData("../../etc/passwd", "passwd")]
    [InlineData("/etc/..", "app.env")]
    [InlineData("/a/b\nc", "app.env")]
    [InlineData("C:\\x\\evil", "evil")]
    [InlineData("", "app.env")]
    public async Task A_forged_place_leads_nowhere(string forged, string name)
    {
        await using var archive = await ExtrasArchive.MakeAsync(Find(scratch.Write("app/.env", "A=1")), encrypts: true);
        var extra = archive.Extras[0] with { Parts = [archive.Extras[0].Parts[0] with { File = archive.Extras[0].Parts[0].File! with { Path = forged } }] };
        var inPlace = Assert.Single(await new EnvironmentRestore(null, force: true).PlanAsync(archive.Reader, [extra], Cancel));
        Assert.Equal("EnvironmentPlaceInvalid", inPlace.Problem!.Id);
        var item = Assert.Single(await new EnvironmentRestore(scratch["new"], force: true).PlanAsync(archive.Reader, [extra], Cancel));
        Assert.Equal(scratch["new/" + name], item.Target);
    }

    [Fact]
    public async Task Two_files_for_one_place_are_not_written_over_each_other()
    {
        await using var archive = await ExtrasArchive.MakeAsync(Find(scratch.Write("app/.env", "A=1")), encrypts: true);
        var plan = await new EnvironmentRestore(null, force: true).PlanAsync(archive.Reader, [archive.Extras[0], archive.Extras[0] with { Name = "other" }], Cancel);
        Assert.Equal([null, "EnvironmentPlaceInvalid"], plan.Select(i => i.Problem?.Id));
    }

    [Fact]
    public async Task A_folder_that_may_not_be_written_to_is_an_error_and_nothing_is_left()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        await using var archive = await ExtrasArchive.MakeAsync(Find(scratch.Write("app/.env", "A=1")), encrypts: true);
        Directory.CreateDirectory(scratch["closed"]);
        Scratch.Mode(scratch["closed"], UnixFileMode.UserRead | UnixFileMode.UserExecute);

        // Root may write everywhere but where the system itself does not let anybody.
        var folder = Environment.IsPrivilegedProcess ? "/proc/sys" : scratch["closed"];
        await Workshop.RefusedAsync("EnvironmentFileNotWritable", () => archive.RestoreAsync(new EnvironmentRestore(folder, force: false)));
        Assert.Empty(Directory.GetFiles(folder));
    }

    [Fact]
    public async Task The_owner_comes_back_for_root_and_one_that_is_not_here_is_said()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Only root gives files away.");
        var path = scratch.Write("app/.env", "A=1");
        Assert.Null(UnixFile.Give(path, "nobody", "daemon"));
        await using var archive = await ExtrasArchive.MakeAsync(Find(path), encrypts: true);
        Assert.Equal(("nobody", "daemon"), (archive.Extras[0].Parts[0].File!.Owner, archive.Extras[0].Parts[0].File!.Group));
        var (_, results) = await archive.RestoreAsync(new EnvironmentRestore(scratch["new"], force: false));
        var facts = UnixFile.Look(results[0].Target)!;
        Assert.Equal(("nobody", "daemon"), (UnixFile.UserName(facts.Owner), UnixFile.GroupName(facts.Group)));

        var stranger = archive.Extras[0] with { Parts = [archive.Extras[0].Parts[0] with { File = archive.Extras[0].Parts[0].File! with { Owner = "nobody-of-this-name" } }] };
        var restore = new EnvironmentRestore(scratch["other"], force: false);
        var item = Assert.Single(await restore.PlanAsync(archive.Reader, [stranger], Cancel));
        var result = (EnvironmentRestoreResult)await restore.RestoreAsync(archive.Reader, item, new Failures.Listener(), Cancel);
        Assert.Equal(["there is no user nobody-of-this-name here"], result.Notes);
    }

    private static IReadOnlyList<EnvironmentCapture> Find(params string[] paths) => EnvironmentFiles.Find(paths.Select(p => new PlannedFile(p)));
}
