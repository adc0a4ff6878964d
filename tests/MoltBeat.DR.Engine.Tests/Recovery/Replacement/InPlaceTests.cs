using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Replacement;

/// <summary>What a database holds is replaced within it, in one transaction.</summary>
[Collection(ReplaceBench.Name)]
public sealed class InPlaceTests(ReplaceBench bench)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_that_a_database_can_hold_comes_back_and_a_backup_of_before_is_made()
    {
        var server = await bench.ServerAsync();
        await using var database = await PostgresFixture.OrSkipAsync(() => EverythingDatabase.CreateAsync(server, bench.Unique("everything"), "UTF8", Cancel));
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(database);
        var expected = await TablesAsync(workshop, backup);
        await database.ExecuteAsync("CREATE SCHEMA later; CREATE TABLE later.made (x int); INSERT INTO later.made VALUES (1)", Cancel);

        using var safety = new Workshop();
        var result = await InPlaceAsync(workshop, database, backup, safety);
        Assert.Equal(expected, result.Tables.Select(t => (t.Table, t.Digest)));
        Assert.All(result.Tables, t => Assert.True(t.Proven));
        Assert.False(await database.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'later')", Cancel));

        // It is what was backed up: a backup of it has the same contents, and so has pg_dump's part.
        var again = await workshop.BackupAsync(database);
        Assert.Equal(expected, await TablesAsync(workshop, again));
        await using (var one = await workshop.OpenAsync(backup))
        await using (var two = await workshop.OpenAsync(again))
        {
            var (a, b) = (await one.ReadContentsAsync(Cancel), await two.ReadContentsAsync(Cancel));
            Assert.Equal(a.LeftToPgDump.Select(t => (t.Schema, t.Name, t.Reason)), b.LeftToPgDump.Select(t => (t.Schema, t.Name, t.Reason)));
            Assert.Equal(a.Extensions, b.Extensions);
            Assert.Equal(a.Roles, b.Roles);
            Assert.Equal(a.LargeObjects, b.LargeObjects);
        }

        // And the way back is the same way.
        var before = await safety.Store.FindAsync(Path.GetFileName(result.SafetyBackup!), Cancel);
        Assert.Equal(Path.GetDirectoryName(result.SafetyBackup), safety.Folder);
        await Workshop.RestoreAsync(safety.Store, before.Name, database.Uri, database.Name, o => o with { InPlace = true, SafetyStore = StoreSettings.Parse(safety.Folder) }, workshop, Cancel);
        Assert.Equal(1, await database.ScalarAsync<int>("SELECT x FROM later.made", Cancel));
    }

    [Fact]
    public async Task What_fails_within_is_all_taken_back_and_the_message_names_the_backup()
    {
        using var workshop = new Workshop();
        using var safety = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);

        // Damage in the rows, which are reached when everything has been dropped.
        await using (var archive = await workshop.OpenAsync(backup))
        await using (var file = File.Open(backup.Path, FileMode.Open, FileAccess.ReadWrite))
        {
            var member = archive.Member((await archive.ReadContentsAsync(Cancel)).Tables.Single().Parts[0].Member);
            file.Position = member.Offset + (member.Length / 2);
            var old = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)~old);
        }

        var e = await Assert.ThrowsAsync<MoltException>(() => InPlaceAsync(workshop, database, backup, safety));
        Assert.Contains("is as it was", e.Message, StringComparison.Ordinal);
        Assert.Contains(Assert.Single(Directory.GetFiles(safety.Folder, "*.tar")), e.Message, StringComparison.Ordinal);
        Assert.Equal("live", await ReplaceBench.StateAsync(database.Server, database.Name));
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task Nobody_loses_a_row_that_was_written_before_and_readers_see_old_or_new()
    {
        using var workshop = new Workshop();
        using var safety = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        await database.ExecuteAsync("CREATE TABLE log (id int)", Cancel);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var written = 0;
        var writer = Task.Run(async () =>
        {
            await using var connection = await database.OpenAsync(Cancel);
            try
            {
                while (!stop.IsCancellationRequested)
                {
                    await using var command = new NpgsqlCommand($"INSERT INTO log VALUES ({written + 1})", connection);
                    await command.ExecuteNonQueryAsync(Cancel);
                    written++;
                }
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
            {
                // It waited, and then the table was gone.
            }
        }, Cancel);
        var reader = Task.Run(async () =>
        {
            await using var connection = await database.OpenAsync(Cancel);
            var seen = new HashSet<string>();
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    seen.Add(await ReplaceBench.StateAsync(connection));
                }
                catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.DeadlockDetected or "XX000")
                {
                    // The table that it waited for is not there any more.
                }
            }

            return seen;
        }, Cancel);
        var result = await InPlaceAsync(workshop, database, backup, safety);
        await writer;
        await Task.Delay(300, Cancel);
        await stop.CancelAsync();
        Assert.Equal(["backup", "live"], (await reader).Order(StringComparer.Ordinal));
        await using var before = await safety.OpenAsync(await FoundAsync(safety, result));
        Assert.Equal(written, (await before.ReadContentsAsync(Cancel)).Tables.Single(t => t.Name == "log").Rows);
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task A_role_that_owns_all_of_it_and_may_make_no_database_can_do_it()
    {
        using var workshop = new Workshop();
        using var safety = new Workshop();
        var server = await bench.ServerAsync();
        var (owner, name) = (bench.Unique("inner"), bench.Unique("managed"));
        await server.ExecuteAsync($"CREATE ROLE {owner} LOGIN PASSWORD 'x'", cancel: Cancel);
        await server.ExecuteAsync($"CREATE DATABASE {name} OWNER {owner}", cancel: Cancel);
        var uri = server.Uri(name, owner, "x");
        await using (var connection = await server.OpenAsync(name, owner, "x", Cancel))
        await using (var command = new NpgsqlCommand($"CREATE TABLE state AS SELECT i AS id, 'backup'::text AS v FROM generate_series(1, {ReplaceBench.Rows}) i; CREATE VIEW seen AS SELECT * FROM state", connection))
        {
            await command.ExecuteNonQueryAsync(Cancel);
        }

        var backup = await workshop.BackupAsync(uri);
        await server.ExecuteAsync("UPDATE state SET v = 'live'", name, Cancel);
        var readiness = await ReplaceBench.TestAsync(workshop, uri, backup, name, o => o with { Replace = false, InPlace = true, SafetyStore = StoreSettings.Parse(safety.Folder) });
        Assert.True(readiness.Go, string.Join("; ", readiness.Failed.Select(c => c.Message)));
        await Workshop.RestoreAsync(workshop.Store, backup.Name, uri, name, o => o with { InPlace = true, SafetyStore = StoreSettings.Parse(safety.Folder) }, workshop, Cancel);
        Assert.Equal("backup", await ReplaceBench.StateAsync(server, name));
        await server.ExecuteAsync("CREATE TABLE foreign_to_it (x int)", name, Cancel);
        await Workshop.RefusedAsync("InPlaceNotPossible", () => Workshop.RestoreAsync(workshop.Store, backup.Name, uri, name, o => o with { InPlace = true, SafetyStore = StoreSettings.Parse(safety.Folder) }, workshop, Cancel));
        await Workshop.RefusedAsync("InPlaceInvalid", () => Workshop.RestoreAsync(workshop.Store, backup.Name, uri, name, o => o with { InPlace = true }, workshop, Cancel));
        await server.DropDatabaseAsync(name, Cancel);
    }

    private static Task<RestoreResult> InPlaceAsync(Workshop workshop, TestDatabase database, BackupInfo backup, Workshop safety)
        => Workshop.RestoreAsync(workshop.Store, backup.Name, database.Uri, database.Name, o => o with { InPlace = true, SafetyStore = StoreSettings.Parse(safety.Folder) }, workshop, Cancel);

    private static async Task<IEnumerable<(string, string)>> TablesAsync(Workshop workshop, BackupInfo backup)
        => (await workshop.ContentsAsync(backup)).Tables.Select(t => ($"{t.Schema}.{t.Name}", t.Digest));

    private static async Task<BackupInfo> FoundAsync(Workshop safety, RestoreResult result)
        => (await new BackupCatalog([safety.Store], null).ReadNearestAsync(Path.GetFileName(result.SafetyBackup!), _ => { }, Cancel)).Backup;
}
