using System.Text;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application;

/// <summary>What a backup takes along beside the database, whatever it is: when it is taken, how it is checked, and how it comes back.</summary>
public sealed class ExtrasTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task They_are_in_the_archive_the_manifest_and_the_full_verification()
    {
        await using var database = await postgres.CreateDatabaseAsync("extras");
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(database, o => o with { Captures = [new Note("one", "first"), new Note("two", new string('x', 300_000)), new Note("gone", null)] });
        Assert.Equal([new ExtraInfo(ExtraKind.Redis, "one", 5), new ExtraInfo(ExtraKind.Redis, "two", 300_000)], backup.Extras);
        Assert.Equal("Redis gone is not in this backup: there was none", Assert.Single(backup.Notes, n => n.Contains("gone", StringComparison.Ordinal)));
        var result = await workshop.VerifyAsync(backup);
        var check = Assert.Single(result.Checks, c => c.Name == "Extras");
        Assert.Equal("Redis: 300,005 in 2; Redis gone was not taken: there was none", check.Detail);
        await using var archive = await workshop.OpenAsync(backup);
        var contents = await archive.ReadContentsAsync(Cancel);
        Assert.Equal("first", Encoding.UTF8.GetString(await ReadAsync(archive, contents.Extras[0].Parts[0])));
    }

    [Fact]
    public async Task They_are_prepared_before_the_database_is_touched_and_taken_when_its_snapshot_and_its_locks_are_let_go()
    {
        await using var database = await postgres.CreateDatabaseAsync("order");
        await database.ExecuteAsync("CREATE TABLE t (id int)", Cancel);
        using var workshop = new Workshop();
        var note = new Note("one", "first")
        {
            Preparing = async () => Assert.Equal(0, await Sessions(database, "MoltBeat%")),
            Capturing = async () =>
            {
                Assert.Equal(0, await Sessions(database, "MoltBeat%' AND backend_xmin IS NOT NULL AND application_name LIKE '%"));
                await database.ExecuteAsync("SET lock_timeout = '10s'; ALTER TABLE t ADD later int", Cancel);

                // A second backup of the database stays away until this one is whole.
                await Workshop.RefusedAsync("BackupAlreadyRunning", () => workshop.BackupAsync(database));
            },
        };
        await workshop.VerifyAsync(await workshop.BackupAsync(database, o => o with { Captures = [note] }));
        Assert.Equal(["prepared", "captured"], note.Calls);
    }

    [Fact]
    public async Task One_that_cannot_be_prepared_or_read_makes_no_backup()
    {
        await using var database = await postgres.CreateDatabaseAsync("failing");
        using var workshop = new Workshop();
        var folder = Path.Combine(workshop.Folder, "not yet there");
        var error = new MoltException("Test", ErrorKind.Failed, "no");
        await Workshop.RefusedAsync("Test", () => workshop.BackupAsync(database, o => o with { Destinations = [Engine.Plan.StoreSettings.Parse(folder)], Captures = [new Note("a", "x") { Preparing = () => throw error }] }));
        Assert.False(Directory.Exists(folder));
        await Workshop.RefusedAsync("Test", () => workshop.BackupAsync(database, o => o with { Captures = [new Note("a", "x"), new Note("b", "x") { Capturing = () => throw error }] }));
        Assert.Empty(Directory.GetFiles(workshop.Folder));
        await Workshop.RefusedAsync("ExtraTwice", () => workshop.BackupAsync(database, o => o with { Captures = [new Note("ä", "x"), new Note("Ö", "x")] }));
    }

    [Theory]
    [InlineData("member")]
    [InlineData("folder")]
    [InlineData("twice")]
    [InlineData("bomb")]
    [InlineData("negative")]
    [InlineData("digest")]
    [InlineData("sum")]
    [InlineData("missing")]
    [InlineData("stray")]
    [InlineData("manifest")]
    public async Task Contents_that_lie_about_them_are_refused(string how)
    {
        await using var database = await postgres.CreateDatabaseAsync("lying");
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(database, o => o with { Captures = [new Note("one", "first")] });
        var editor = new ArchiveEditor(await File.ReadAllBytesAsync(backup.Path, Cancel));
        var contents = editor.ReadContents();
        var extra = contents["extras"]![0]!;
        var part = extra["parts"]![0]!;
        switch (how)
        {
            case "member":
                part["member"] = "redis/two.zst";
                break;
            case "folder":
                part["member"] = ArchiveFormat.Globals;
                break;
            case "twice":
                contents["extras"]!.AsArray().Add(extra.DeepClone());
                break;
            case "bomb":
                part["rawBytes"] = 1L << 40;
                break;
            case "negative":
                part["items"] = -5;
                extra["items"] = -5;
                break;
            case "digest":
                part["sha256"] = "x";
                break;
            case "sum":
                extra["items"] = 6;
                break;
            case "missing":
                extra["missing"] = "really";
                break;
            case "stray":
                editor.Insert(0, "files/1.zst", []);
                break;
            case "manifest":
                editor.Manifest.Remove("extras");
                break;
        }

        editor.WriteContents(contents);
        await using var archive = await ArchiveReader.OpenAsync(new MemoryArchive(editor.Build()), Cancel);
        await Workshop.RefusedAsync("ArchiveDamaged", () => archive.ReadContentsAsync(Cancel));
    }

    [Fact]
    public async Task An_archive_of_before_there_were_any_is_read_as_one_without()
    {
        await using var database = await postgres.CreateDatabaseAsync("old");
        using var workshop = new Workshop();
        var editor = new ArchiveEditor(await File.ReadAllBytesAsync((await workshop.BackupAsync(database)).Path, Cancel));
        var contents = editor.ReadContents();
        Assert.True(contents.Remove("extras") & editor.Manifest.Remove("extras"));
        editor.WriteContents(contents);
        var bytes = editor.Build();
        Assert.DoesNotContain((await Workbench.VerifyAsync(bytes)).Checks, c => c.Name == "Extras" || c.Status != CheckStatus.Passed);
        await using var archive = await ArchiveReader.OpenAsync(new MemoryArchive(bytes), Cancel);
        Assert.Empty(archive.Manifest.Extras);
        Assert.Empty((await archive.ReadContentsAsync(Cancel)).Extras);
    }

    [Theory]
    [InlineData("other", "does not hold what was backed up")]
    [InlineData("longer", "does not hold the 5 bytes")]
    [InlineData("shorter", "does not hold the 5 bytes")]
    [InlineData("torn", "does not decompress")]
    public async Task A_part_that_is_not_what_was_read_is_found_by_the_full_verification_and_never_believed(string how, string says)
    {
        await using var database = await postgres.CreateDatabaseAsync("forged");
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(database, o => o with { Captures = [new Note("one", "first")] });
        var editor = new ArchiveEditor(await File.ReadAllBytesAsync(backup.Path, Cancel));
        var whole = ArchiveEditor.Compress(Encoding.UTF8.GetBytes(how switch { "longer" => "first one", "shorter" => "fir", _ => "fjrst" }));
        editor["redis/one.zst"] = how == "torn" ? whole[..^2] : whole;
        var bytes = editor.Build();
        var result = await Workbench.VerifyAsync(bytes);
        Assert.Equal(["Extras"], result.Failed.Select(c => c.Name));
        Assert.Contains(says, result.Failed.Single().Detail, StringComparison.Ordinal);
        await using var archive = await ArchiveReader.OpenAsync(new MemoryArchive(bytes), Cancel);
        var contents = await archive.ReadContentsAsync(Cancel);
        await Workshop.RefusedAsync("ArchiveDamaged", () => ReadAsync(archive, contents.Extras[0].Parts[0]));
    }

    [Fact]
    public async Task Stored_bytes_that_are_damaged_are_found_by_both_verifications()
    {
        await using var database = await postgres.CreateDatabaseAsync("damaged");
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(database, o => o with { Captures = [new Note("one", "first")] });
        var bytes = await File.ReadAllBytesAsync(backup.Path, Cancel);
        await using (var archive = await workshop.OpenAsync(backup))
        {
            bytes[archive.Member("redis/one.zst").Offset + 9] ^= 1;
        }

        Assert.Equal(["Members"], (await Workbench.VerifyAsync(bytes, VerificationLevel.Quick)).Failed.Select(c => c.Name));
        Assert.Equal(["Members", "Extras"], (await Workbench.VerifyAsync(bytes)).Failed.Select(c => c.Name));
    }

    [Fact]
    public async Task They_are_restored_in_order_each_by_itself_and_from_another_copy_when_one_is_damaged()
    {
        await using var database = await postgres.CreateDatabaseAsync("restored");
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(database, o => o with { Captures = [new Note("one", "first"), new Note("bad", "x"), new Note("two", "second")] });
        var good = await File.ReadAllBytesAsync(backup.Path, Cancel);
        var damaged = (byte[])good.Clone();
        await using (var archive = await workshop.OpenAsync(backup))
        {
            damaged[archive.Member("redis/two.zst").Offset + 9] ^= 1;
        }

        var listener = new Listener();
        var kind = new NoteRestore();
        var restore = new ExtrasRestore([(new MemoryStore(damaged), "memory.tar"), (new MemoryStore(good), "memory.tar")], [kind], listener);
        var plan = await restore.PlanAsync(Cancel);
        Assert.Equal(["one", "bad", "two"], plan.Select(i => i.Name));
        var (done, failed) = (new List<ExtraRestoreResult>(), new List<MoltException>());
        await restore.RunAsync(plan, done.Add, failed.Add, Cancel);
        Assert.Equal(["one", "two"], done.Select(r => r.Name));
        Assert.All(done, r => Assert.Equal((backup.Id, backup.Created), (r.BackupId, r.StateOf)));
        Assert.Equal("NoteRefused", Assert.Single(failed).Id);
        Assert.Equal(["first", "second"], kind.Read);
        Assert.Contains("instead", Assert.Single(listener.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_backup_does_not_hold_is_not_restored_in_silence()
    {
        await using var database = await postgres.CreateDatabaseAsync("without");
        using var workshop = new Workshop();
        foreach (var (captures, says) in new[] { (Array.Empty<ICapture>(), "it was made without"), ([new Note("gone", null)], "there was none") })
        {
            var bytes = await File.ReadAllBytesAsync((await workshop.BackupAsync(database, o => o with { Captures = captures })).Path, Cancel);
            var error = await Workshop.RefusedAsync("ExtraNotInBackup", () => new ExtrasRestore([(new MemoryStore(bytes), "memory.tar")], [new NoteRestore()], new Listener()).PlanAsync(Cancel));
            Assert.Contains(says, error.Message, StringComparison.Ordinal);
            await Task.Delay(1100, Cancel); // names hold the time to the second
        }
    }

    [Fact]
    public async Task A_backup_that_is_stopped_while_it_takes_them_leaves_nothing()
    {
        await using var database = await postgres.CreateDatabaseAsync("stopped");
        using var workshop = new Workshop();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var note = new Note("one", new string('x', 100)) { Capturing = stop.CancelAsync };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Workbench.BackUpAsync(database, workshop.Folder, o => o with { Captures = [note] }, cancel: stop.Token));
        Assert.Empty(Directory.GetFiles(workshop.Folder));
    }

    private static async Task<byte[]> ReadAsync(ArchiveReader archive, ExtraPart part)
    {
        await using var stream = archive.OpenExtra(part);
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes, Cancel);
        return bytes.ToArray();
    }

    private static Task<long> Sessions(TestDatabase database, string like)
        => database.Server.ScalarAsync<long>($"SELECT count(*) FROM pg_stat_activity WHERE datname = {Sql.Literal(database.Name)} AND application_name LIKE '{like}'", cancel: Cancel);

    /// <summary>A capture of a text; null for one that is missing and may be.</summary>
    private sealed class Note(string name, string? text) : ICapture
    {
        public ExtraKind Kind => ExtraKind.Redis;

        public string Name => name;

        public Func<Task> Preparing { get; init; } = () => Task.CompletedTask;

        public Func<Task> Capturing { get; init; } = () => Task.CompletedTask;

        public List<string> Calls { get; } = [];

        public Task PrepareAsync(CaptureContext context, CancellationToken cancellationToken)
        {
            Calls.Add("prepared");
            return Preparing();
        }

        public async Task<ExtraContents> CaptureAsync(ArchiveWriter archive, IOperationObserver observer, CancellationToken cancellationToken)
        {
            Calls.Add("captured");
            if (text is null)
            {
                return new ExtraContents { Kind = Kind, Name = name, Items = 0, Parts = [], Missing = "there was none" };
            }

            await using var writer = await ExtraWriter.OpenAsync(archive, ExtraNames.Member(Kind, name), cancellationToken);
            await writer.WriteAsync(Encoding.UTF8.GetBytes(text)[..(text.Length / 2)], cancellationToken);
            await Capturing();
            await writer.WriteAsync(Encoding.UTF8.GetBytes(text)[(text.Length / 2)..], cancellationToken);
            return new ExtraContents { Kind = Kind, Name = name, Items = text.Length, Parts = [await writer.CompleteAsync(text.Length, cancellationToken)] };
        }
    }

    private sealed class NoteRestore : IExtraRestore
    {
        public ExtraKind Kind => ExtraKind.Redis;

        public List<string> Read { get; } = [];

        public Task<IReadOnlyList<ExtraRestoreItem>> PlanAsync(ArchiveReader archive, IReadOnlyList<ExtraContents> extras, CancellationToken cancellationToken)
            => Task.FromResult<IReadOnlyList<ExtraRestoreItem>>([.. extras.Select(e => new Item(e))]);

        public async Task<ExtraRestoreResult> RestoreAsync(ArchiveReader archive, ExtraRestoreItem item, IOperationObserver observer, CancellationToken cancellationToken)
        {
            if (item.Name == "bad")
            {
                throw new MoltException("NoteRefused", ErrorKind.Failed, "It is bad.");
            }

            Read.Add(Encoding.UTF8.GetString(await ExtrasTests.ReadAsync(archive, ((Item)item).Extra.Parts[0])));
            return new Result { Name = item.Name, Target = item.Target };
        }

        private sealed record Item(ExtraContents Extra) : ExtraRestoreItem(Extra.Kind, Extra.Name, "memory", "Read it");

        private sealed class Result : ExtraRestoreResult
        {
            public override ExtraKind Kind => ExtraKind.Redis;
        }
    }
}
