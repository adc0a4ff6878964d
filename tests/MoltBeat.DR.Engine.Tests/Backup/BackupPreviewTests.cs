using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Tests.Failures;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>What a backup would do, looked up without doing it.</summary>
public sealed class BackupPreviewTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_preview_names_what_would_be_copied_and_changes_nothing()
    {
        await using var source = await postgres.CreateDatabaseAsync("planned");
        await source.ExecuteAsync("""
            CREATE TABLE small (id int); INSERT INTO small VALUES (1);
            CREATE TABLE "Large" AS SELECT i, repeat('x', 100) t FROM generate_series(1, 10000) i;
            CREATE TABLE whole (id int) PARTITION BY LIST (id);
            CREATE TABLE out (id int)
            """, Cancel);
        using var workshop = new Workshop();
        var missing = Path.Combine(workshop.Folder, "not", "there");
        var preview = await workshop.PreviewBackupAsync(source.Uri, missing, o => o with { ExcludeTables = ["out"] });
        Assert.Equal(["public.Large", "public.small"], preview.Tables.Select(t => t.Table));
        Assert.InRange(preview.Bytes, 1_000_000, 3_000_000);
        Assert.Contains(preview.LeftToPgDump, l => l.StartsWith("public.whole: partitioned", StringComparison.Ordinal));
        Assert.Equal([missing], preview.Destinations);
        Assert.Equal(source.Name, preview.Database);
        Assert.Empty(Directory.GetFileSystemEntries(workshop.Folder));
        Assert.Equal(0L, await source.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'MoltBeat%' AND state LIKE 'idle in transaction%'", Cancel));
    }

    [Fact]
    public void However_many_jobs_there_are_their_parts_fit_into_memory()
    {
        foreach (var jobs in Enumerable.Range(1, 64))
        {
            var options = new BackupOptions { Connection = ConnectionSettings.Parse("host=127.0.0.1"), Destinations = [], Jobs = jobs };
            Assert.InRange((long)options.PartBytes * jobs, 1, 256 << 20);
            Assert.InRange(options.PartBytes, 4 << 20, 64 << 20);
        }

        Assert.Equal(64 << 20, new BackupOptions { Connection = ConnectionSettings.Parse("host=127.0.0.1"), Destinations = [], Jobs = 2 }.PartBytes);
    }

    [Fact]
    public async Task While_its_approval_is_awaited_nothing_is_locked()
    {
        await using var source = await postgres.CreateDatabaseAsync("planned");
        await source.ExecuteAsync("CREATE TABLE t (id int)", Cancel);
        using var workshop = new Workshop();
        var options = new BackupOptions { Connection = ConnectionSettings.Parse(source.Uri), Destinations = [StoreSettings.Parse(workshop.Folder)] };
        var asked = 0;
        var backup = await BackupOperation.RunAsync(options, async _ =>
        {
            asked++;
            await source.ExecuteAsync("SET lock_timeout = '1s'; DROP TABLE t; CREATE TABLE u AS SELECT 1 AS id", Cancel);
            return true;
        }, new Listener(), problem => throw problem, Cancel);
        Assert.Equal((1, 1L), (asked, backup!.Rows));
    }

    [Fact]
    public async Task A_destination_that_fails_is_told_of_though_others_are_enough()
    {
        await using var source = await postgres.CreateDatabaseAsync("planned");
        using var workshop = new Workshop();
        var file = Path.Combine(workshop.Folder, "file");
        await File.WriteAllTextAsync(file, "", Cancel);
        var good = Path.Combine(workshop.Folder, "good");
        var problems = new List<MoltException>();
        var preview = await workshop.PreviewBackupAsync(source.Uri, good, o => o with { Destinations = [.. o.Destinations, StoreSettings.Parse(Path.Combine(file, "below"))] }, problems.Add);
        Assert.Equal([good], preview.Destinations);
        Assert.Equal("StoreNotWritable", Assert.Single(problems).Id);
        await Workshop.RefusedAsync("TooFewCopies", () => workshop.PreviewBackupAsync(source.Uri, good, o => o with { Destinations = [.. o.Destinations, StoreSettings.Parse(Path.Combine(file, "below"))], MinimumCopies = 2 }));
        Assert.Equal(["file"], Directory.GetFileSystemEntries(workshop.Folder).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("mayNotRead", "TableNotReadable")]
    [InlineData("hidden", "RowsHidden")]
    [InlineData("excluded", "TableNotFound")]
    [InlineData("tools", "ClientToolsMissing")]
    [InlineData("folder", "StoreNotWritable")]
    [InlineData("locked", "LockTimeout")]
    public async Task What_stands_in_the_way_is_the_same_error_as_of_the_backup(string what, string id)
    {
        await using var source = await postgres.CreateDatabaseAsync("planned");
        var role = postgres.Unique("plan_reader");
        await source.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD 'x'; CREATE TABLE t (id int); CREATE TABLE whole (id int) PARTITION BY LIST (id)", Cancel);
        using var workshop = new Workshop();
        var (uri, to) = (source.Uri, workshop.Folder);
        Func<BackupOptions, BackupOptions> change = o => o with { LockTimeout = TimeSpan.FromSeconds(1) };
        NpgsqlConnection? holder = null;
        switch (what)
        {
            case "mayNotRead":
                uri = source.Server.Uri(source.Name, role, "x");
                await source.ExecuteAsync($"GRANT SELECT ON t TO {role}", Cancel); // not on the partitioned one, which has no rows
                break;
            case "hidden":
                uri = source.Server.Uri(source.Name, role, "x");
                await source.ExecuteAsync($"GRANT SELECT ON t, whole TO {role}; ALTER TABLE t ENABLE ROW LEVEL SECURITY", Cancel);
                break;
            case "excluded":
                change = o => o with { ExcludeTables = ["nobody"] };
                break;
            case "tools":
                change = o => o with { ClientToolFolder = "/proc" };
                break;
            case "folder":
                to = Path.Combine(typeof(BackupPreviewTests).Assembly.Location, "below"); // below a file
                break;
            case "locked":
                holder = await source.OpenAsync(Cancel);
                await using (var command = new NpgsqlCommand("BEGIN; LOCK TABLE t", holder))
                {
                    await command.ExecuteNonQueryAsync(Cancel);
                }

                break;
        }

        await using (holder)
        {
            var planned = await Workshop.RefusedAsync(id, () => workshop.PreviewBackupAsync(uri, to, change));
            Assert.Empty(Directory.GetFileSystemEntries(workshop.Folder));
            var real = await Workshop.RefusedAsync(id, () => Workshop.BackUpAsync(uri, to, change, new Listener(), problem => throw problem, Cancel));
            Assert.Equal((real.Remedy is null, real.Kind), (planned.Remedy is null, planned.Kind));
            Assert.Empty(Directory.GetFileSystemEntries(workshop.Folder));
        }
    }
}
