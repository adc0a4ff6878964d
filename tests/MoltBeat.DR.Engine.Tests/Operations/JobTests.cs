using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Operations.Jobs;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Operations;

/// <summary>What a scheduler calls, against a real server and real folders.</summary>
public sealed class JobTests(PostgresFixture postgres) : IDisposable
{
    private static readonly StoreSettings s_nowhere = StoreSettings.Parse("/proc/no/such/folder");

    private readonly Listener listener = new();
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("molt-job-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string First => Path.Combine(root.FullName, "first");

    private string Second => Path.Combine(root.FullName, "second");

    private string LockFile => Path.Combine(root.FullName, "state", "job.lock");

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    public async Task Every_database_is_backed_up_and_every_copy_verified_at_the_wanted_level()
    {
        await using var one = await DatabaseAsync();
        await using var two = await DatabaseAsync();
        var result = await RunAsync(Options([Of(one), Of(two)]) with { Verify = VerificationLevel.Full });
        Assert.Equal(JobStatus.Succeeded, result.Status);
        Assert.Equal([one.Name, two.Name], result.Backups.Select(b => b.Backup!.Database));
        Assert.All(result.Backups, b =>
        {
            Assert.True(b.IsVerified);
            Assert.Equal(["Full", "Full"], b.Verifications.Select(v => v.Level.ToString()));
        });
        var listed = await ListAsync();
        Assert.Equal(2, listed.Count);
        Assert.All(listed, b => Assert.All(b.Locations, l => Assert.Equal(("Full", true), (l.Verification!.Level, l.Verification.Passed))));
        Assert.All(listed, b => Assert.Equal(BackupKind.Weekly, b.Kind));
    }

    [Fact]
    public async Task A_database_that_cannot_be_backed_up_stops_no_other_and_fails_the_job()
    {
        await using var good = await DatabaseAsync();
        var gone = Of(good) with { Name = "gone" };
        gone = gone with { Backup = gone.Backup! with { Connection = gone.Backup.Connection.WithDatabase("there_is_no_such_database") } };
        var unprepared = new JobDatabase("unprepared", null, new MoltException("SecretUnavailable", ErrorKind.NotFound, "No secret."));
        var result = await RunAsync(Options([gone, unprepared, Of(good)]));
        Assert.Equal(JobStatus.Failed, result.Status);
        Assert.Equal([(JobArea.Backup, "gone", "DatabaseNotFound"), (JobArea.Backup, "unprepared", "SecretUnavailable")], result.Problems.Select(p => (p.Area, p.Database, p.Error.Id)));
        Assert.Equal([false, false, true], result.Backups.Select(b => b.IsVerified));
    }

    [Fact]
    public async Task A_store_that_fails_is_a_warning_while_there_are_enough_copies()
    {
        await using var database = await DatabaseAsync();
        var job = Of(database, s_nowhere);
        var result = await RunAsync(Options([job with { Backup = job.Backup! with { MinimumCopies = 2 } }]));
        Assert.Equal(JobStatus.Warning, result.Status);
        Assert.Equal(JobArea.Copy, Assert.Single(result.Problems).Area);
        Assert.True(Assert.Single(result.Backups).IsVerified);

        await Task.Delay(1100, Cancel);
        result = await RunAsync(Options([job with { Backup = job.Backup! with { MinimumCopies = 3 } }]));
        Assert.Equal((JobStatus.Failed, "TooFewCopies"), (result.Status, result.Problems[^1].Error.Id));
    }

    [Fact]
    public async Task Only_databases_with_a_verified_backup_lose_their_old_ones()
    {
        await using var good = await DatabaseAsync();
        await using var bad = await DatabaseAsync();
        var rules = new RetentionRules { Weekly = new RetentionRule(TimeSpan.Zero, 1) };
        foreach (var _ in Enumerable.Range(0, 2))
        {
            Assert.Equal(JobStatus.Succeeded, (await RunAsync(Options([Of(good), Of(bad)]))).Status);
            await Task.Delay(1100, Cancel);
        }

        var unreachable = Of(bad) with { Backup = Of(bad).Backup! with { ClientToolFolder = "/proc/no/such/folder" } };
        var result = await RunAsync(Options([Of(good), unreachable]) with { Retention = rules });
        Assert.Equal(JobStatus.Failed, result.Status);
        Assert.NotEmpty(result.Removed);
        Assert.All(result.Removed, r => Assert.StartsWith(good.Name, r.Name, StringComparison.Ordinal));
        var left = (await ListAsync()).ToLookup(b => b.Database);
        Assert.Single(left[good.Name]);
        Assert.Equal(2, left[bad.Name].Count());

        Assert.Empty((await RunAsync(Options([Of(good)]) with { Retention = rules, RemoveExpired = false })).Removed);
    }

    [Fact]
    public async Task A_copy_that_does_not_pass_fails_the_job_and_nothing_is_removed()
    {
        await using var database = await DatabaseAsync();
        Assert.Equal(JobStatus.Succeeded, (await RunAsync(Options([Of(database)]))).Status);
        await Task.Delay(1100, Cancel);
        var damaged = new TaskCompletionSource();
        var result = await RunAsync(Options([Of(database)]) with { Retention = new RetentionRules { Weekly = new RetentionRule(TimeSpan.Zero, 1) } }, observer: new Damager(First, damaged));
        Assert.True(damaged.Task.IsCompletedSuccessfully);
        Assert.Equal(JobStatus.Failed, result.Status);
        Assert.Contains(result.Problems, p => p is { Area: JobArea.Verification, Error.Id: "VerificationFailed" });
        Assert.Empty(result.Removed);
        Assert.False(Assert.Single(result.Backups).IsVerified);
    }

    [Fact]
    public async Task A_backup_of_which_nothing_moves_is_ended_and_leaves_nothing()
    {
        await using var database = await DatabaseAsync();
        using var tools = new FakeTools();
        tools.Replace("pg_dump", tools.Wait);
        var job = Of(database);
        var clock = new SteppedTime();
        var running = RunAsync(Options([job with { Backup = job.Backup! with { ClientToolFolder = tools.Folder } }]) with { Stall = TimeSpan.FromMinutes(10) }, time: clock);
        await tools.UntilWaitingAsync(running);
        clock.Advance(TimeSpan.FromMinutes(11));
        var result = await running;
        Assert.Equal("JobStalled", Assert.Single(result.Problems).Error.Id);
        Assert.Empty(Directory.GetFileSystemEntries(First, "*.tar*"));
    }

    [Fact]
    public async Task A_job_that_takes_too_long_is_ended_and_begins_nothing_more()
    {
        await using var database = await DatabaseAsync();
        using var tools = new FakeTools();
        tools.Replace("pg_dump", tools.Wait);
        var job = Of(database);
        var clock = new SteppedTime();
        var running = RunAsync(Options([job with { Backup = job.Backup! with { ClientToolFolder = tools.Folder } }, job with { Name = "next" }]) with { TimeLimit = TimeSpan.FromHours(2) }, time: clock);
        await tools.UntilWaitingAsync(running);
        clock.Advance(TimeSpan.FromHours(3));
        var result = await running;
        Assert.Equal(JobStatus.Failed, result.Status);
        Assert.All(result.Problems, p => Assert.Equal("JobTimedOut", p.Error.Id));
        Assert.Equal([job.Name, "next"], result.Problems.Select(p => p.Database).OfType<string>());
    }

    [Fact]
    public async Task A_second_job_is_refused_and_says_who_is_first()
    {
        await using var database = await DatabaseAsync();
        using var tools = new FakeTools();
        tools.Replace("pg_dump", tools.Wait + "; exec $real \"$@\"");
        var job = Of(database);
        var running = RunAsync(Options([job with { Backup = job.Backup! with { ClientToolFolder = tools.Folder } }]));
        await tools.UntilWaitingAsync(running);
        var e = await Assert.ThrowsAsync<MoltException>(() => RunAsync(Options([job])));
        Assert.Equal("JobRunning", e.Id);
        Assert.Contains($"process {Environment.ProcessId}", e.Message, StringComparison.Ordinal);
        tools.LetGo();
        Assert.Equal(JobStatus.Succeeded, (await running).Status);

        // What a crashed job leaves is a file that nobody holds.
        Assert.True(File.Exists(LockFile));
        await Task.Delay(1100, Cancel);
        Assert.Equal(JobStatus.Succeeded, (await RunAsync(Options([job]))).Status);
    }

    [Fact]
    public async Task Declined_nothing_is_changed_anywhere()
    {
        await using var database = await DatabaseAsync();
        var asked = new List<string>();
        var result = await RunAsync(Options([Of(database)]), (target, action) =>
        {
            asked.Add(action);
            return Task.FromResult(false);
        });
        Assert.Equal(JobStatus.NotRun, result.Status);
        Assert.Contains(asked, a => a.StartsWith("Weekly job: back up ", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFileSystemEntries(First));
        Assert.False(File.Exists(LockFile));
    }

    [Fact]
    public async Task A_database_that_lost_most_of_its_rows_is_backed_up_and_told()
    {
        await using var database = await DatabaseAsync();
        foreach (var _ in Enumerable.Range(0, 3))
        {
            Assert.Empty((await RunAsync(Options([Of(database)]))).Problems);
            await Task.Delay(1100, Cancel);
        }

        await database.ExecuteAsync("DELETE FROM things WHERE id > 100", Cancel);
        var result = await RunAsync(Options([Of(database)]));
        Assert.Equal(JobStatus.Warning, result.Status);
        Assert.Equal((JobArea.Size, "SizeAnomaly"), (result.Problems[0].Area, result.Problems[0].Error.Id));
        Assert.True(result.Backups[0].IsVerified);
    }

    private async Task<TestDatabase> DatabaseAsync()
    {
        var database = await postgres.CreateDatabaseAsync("job");
        await database.ExecuteAsync("CREATE TABLE things (id int PRIMARY KEY, what text); INSERT INTO things SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 2000) i", Cancel);
        Directory.CreateDirectory(First);
        Directory.CreateDirectory(Second);
        return database;
    }

    private JobDatabase Of(TestDatabase database, params StoreSettings[] more) => new(database.Name, new BackupOptions
    {
        Connection = ConnectionSettings.Parse(database.Uri),
        Destinations = [StoreSettings.Parse(First), StoreSettings.Parse(Second), .. more],
        MinimumCopies = 2,
        Kind = BackupKind.Weekly,
        Jobs = 2,
    });

    private JobOptions Options(IReadOnlyList<JobDatabase> databases) => new(BackupKind.Weekly) { Databases = databases, Stores = [StoreSettings.Parse(First), StoreSettings.Parse(Second)], LockFile = LockFile };

    private Task<JobResult> RunAsync(JobOptions options, Func<string, string, Task<bool>>? approve = null, TimeProvider? time = null, IOperationObserver? observer = null)
        => JobOperation.RunAsync(options, approve ?? ((_, _) => Task.FromResult(true)), observer ?? listener, time ?? TimeProvider.System, Cancel);

    private Task<List<BackupInfo>> ListAsync() => new BackupCatalog([new LocalStore(First), new LocalStore(Second)]).ListAsync(e => throw e, Cancel);

    /// <summary>Turns a bit of the newest archive in a folder as soon as something is verified.</summary>
    private sealed class Damager(string folder, TaskCompletionSource done) : IOperationObserver
    {
        public void Verbose(string message)
        {
        }

        public void Warning(string message)
        {
        }

        public void Progress(OperationProgress progress)
        {
            if (progress.Activity.StartsWith("Verifying", StringComparison.Ordinal) && !done.Task.IsCompleted)
            {
                var path = Directory.GetFiles(folder, "*.tar").Max(StringComparer.Ordinal)!;
                using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
                file.Position = file.Length / 2;
                var before = file.ReadByte();
                file.Position--;
                file.WriteByte((byte)(before ^ 1));
                done.SetResult();
            }
        }
    }
}
