using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>What others do in the database while it is backed up.</summary>
public sealed class ConsistencyTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_backup_among_writers_shows_one_instant()
    {
        await using var source = await postgres.CreateDatabaseAsync("hammered");
        // The sum over both tables is 0 at every instant, and every entry of the journal has its row in the other table.
        await source.ExecuteAsync("""
            CREATE TABLE debit (id bigint PRIMARY KEY, amount bigint, filler text); CREATE TABLE credit (id bigint PRIMARY KEY, amount bigint, filler text);
            CREATE TABLE journal (id bigserial PRIMARY KEY, debit bigint, credit bigint); CREATE TABLE churn (id integer);
            INSERT INTO debit SELECT i, 1000, repeat('d', 400) FROM generate_series(1, 20000) i; INSERT INTO credit SELECT i, -1000, repeat('c', 400) FROM generate_series(1, 20000) i
            """, Cancel);
        using var workshop = new Workshop();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var written = 0;
        var writers = Enumerable.Range(0, 3).Select(w => WriteAsync(w)).Append(ChangeTablesAsync()).ToList();
        var copy = postgres.Unique("copy");
        try
        {
            for (var round = 0; round < 2; round++)
            {
                var before = Volatile.Read(ref written);
                while (Volatile.Read(ref written) < before + 50)
                    await Task.Delay(10, Cancel);
                var backup = await BackupAsync();
                await workshop.RestoreAsync(backup, source.Server, copy);
                Assert.Equal(0L, await source.Server.ScalarAsync<long>("SELECT (sum(amount))::bigint FROM (SELECT amount FROM debit UNION ALL SELECT amount FROM credit) a", copy, Cancel));
                Assert.Equal(0L, await source.Server.ScalarAsync<long>("SELECT count(*) FROM journal j WHERE NOT EXISTS (SELECT FROM debit d WHERE d.id = j.debit) OR NOT EXISTS (SELECT FROM credit c WHERE c.id = j.credit)", copy, Cancel));
                Assert.True(await source.Server.ScalarAsync<long>("SELECT count(*) FROM journal", copy, Cancel) > 0);
                Assert.Contains(await source.Server.ScalarAsync<long>("SELECT count(*) FROM churn", copy, Cancel), new List<long> { 0, 100 });
                await source.Server.DropDatabaseAsync(copy, Cancel);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await source.Server.DropDatabaseAsync(copy, CancellationToken.None);
            await Task.WhenAll(writers);
        }

        async Task<MoltBeat.DR.Engine.Catalog.BackupInfo> BackupAsync()
        {
            while (true)
            {
                try
                {
                    return await workshop.BackupAsync(source);
                }
                catch (MoltException e) when (e.Id is "TablesKeepChanging" or "BackupExists")
                {
                    await Task.Delay(100, Cancel);
                }
            }
        }

        async Task WriteAsync(int writer)
        {
            await using var connection = await source.OpenAsync(CancellationToken.None);
            var random = new Random(writer);
            while (!stop.IsCancellationRequested)
            {
                var (from, to, fresh) = (random.Next(1, 20001), random.Next(1, 20001), 100000L + random.NextInt64(1L << 40));
                try
                {
                    await using var command = new NpgsqlCommand($"""
                        BEGIN;
                        UPDATE debit SET amount = amount - 7 WHERE id = {from}; UPDATE credit SET amount = amount + 7 WHERE id = {to};
                        INSERT INTO debit VALUES ({fresh}, 5, 'new'); INSERT INTO credit VALUES ({fresh}, -5, 'new'); INSERT INTO journal (debit, credit) VALUES ({fresh}, {fresh});
                        COMMIT
                        """, connection);
                    await command.ExecuteNonQueryAsync(CancellationToken.None);
                    Interlocked.Increment(ref written);
                }
                catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.UniqueViolation)
                {
                    await using var rollback = new NpgsqlCommand("ROLLBACK", connection);
                    await rollback.ExecuteNonQueryAsync(CancellationToken.None);
                }
            }
        }

        async Task ChangeTablesAsync()
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await source.ExecuteAsync($"CREATE TABLE passing_{i} AS SELECT 1 AS a", CancellationToken.None);
                await source.ExecuteAsync($"ALTER TABLE passing_{i} RENAME TO renamed_{i}", CancellationToken.None);
                await source.ExecuteAsync($"TRUNCATE churn; INSERT INTO churn SELECT generate_series(1, 100)", CancellationToken.None);
                await source.ExecuteAsync($"DROP TABLE renamed_{i}", CancellationToken.None);
                await Task.Delay(500, CancellationToken.None);
            }
        }
    }

    [Fact]
    public async Task Ddl_that_waits_behind_a_backup_does_not_stop_it()
    {
        await using var source = await postgres.CreateDatabaseAsync("waiting");
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY, \"ä\" text); INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 40000) i", Cancel);
        using var workshop = new Workshop();
        Task? ddl = null;
        var options = new Engine.Backup.BackupOptions { Connection = Engine.Postgres.ConnectionSettings.Parse(source.Uri), Destinations = [Engine.Plan.StoreSettings.Parse(workshop.Folder)], Jobs = 2 };

        // Made to wait the moment the backup has its locks, hence before its readers and pg_dump ask for theirs.
        await using var observer = await source.OpenAsync(Cancel);
        var backup = Engine.Backup.BackupOperation.RunAsync(options, workshop, _ => { }, Cancel);
        while (!backup.IsCompleted && !await HeldAsync(observer))
        {
        }

        ddl = source.ExecuteAsync("ALTER TABLE t ADD COLUMN late integer", Cancel);
        var info = await backup;
        await ddl;
        Assert.Equal(40000, info.Rows);
        await workshop.VerifyAsync(info);

        static async Task<bool> HeldAsync(NpgsqlConnection connection)
        {
            await using var command = new NpgsqlCommand("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessShareLock' AND granted)", connection);
            return (bool)(await command.ExecuteScalarAsync(Cancel))!;
        }
    }

    [Fact]
    public async Task A_lock_that_is_not_granted_in_time_names_the_table()
    {
        await using var source = await postgres.CreateDatabaseAsync("locked");
        await source.ExecuteAsync("CREATE TABLE free (id integer); CREATE SCHEMA \"Odd s\"; CREATE TABLE \"Odd s\".\"Taken\" (id integer)", Cancel);
        await using var holder = await source.OpenAsync(Cancel);
        await using var transaction = await holder.BeginTransactionAsync(Cancel);
        await using (var command = new NpgsqlCommand("LOCK TABLE \"Odd s\".\"Taken\" IN ACCESS EXCLUSIVE MODE", holder))
            await command.ExecuteNonQueryAsync(Cancel);
        using var workshop = new Workshop();
        var e = await Workshop.RefusedAsync("LockTimeout", () => workshop.BackupAsync(source, o => o with { LockTimeout = TimeSpan.FromMilliseconds(300) }));
        Assert.Contains("\"Odd s\".\"Taken\"", e.Message, StringComparison.Ordinal);
        Assert.Contains($"{holder.ProcessID}", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(workshop.Folder));
    }

    [Fact]
    public async Task A_second_backup_at_the_same_time_is_refused()
    {
        await using var source = await postgres.CreateDatabaseAsync("twice");
        await source.ExecuteAsync("CREATE TABLE t (id integer)", Cancel);
        await using var holder = await source.OpenAsync(Cancel);
        await using var transaction = await holder.BeginTransactionAsync(Cancel);
        await using (var command = new NpgsqlCommand("LOCK TABLE t IN ACCESS EXCLUSIVE MODE", holder))
            await command.ExecuteNonQueryAsync(Cancel);
        using var workshop = new Workshop();
        var first = workshop.BackupAsync(source);
        await using var observer = await source.OpenAsync(Cancel);
        while (!await WaitsAsync(observer) && !first.IsCompleted)
            await Task.Delay(20, Cancel);
        using var other = new Workshop();
        var e = await Workshop.RefusedAsync("BackupAlreadyRunning", () => other.BackupAsync(source));
        Assert.Contains("process", e.Message, StringComparison.Ordinal);
        await transaction.RollbackAsync(Cancel);
        await workshop.VerifyAsync(await first);
        await other.BackupAsync(source);

        static async Task<bool> WaitsAsync(NpgsqlConnection connection)
        {
            await using var command = new NpgsqlCommand("SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 't'::regclass AND NOT granted)", connection);
            return (bool)(await command.ExecuteScalarAsync(Cancel))!;
        }
    }
}
