using System.Collections.Concurrent;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Checks;
using MoltBeat.DR.Engine.Recovery.Replacement;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Replacement;

/// <summary>A database is replaced by a restored one, and brought back.</summary>
[Collection(ReplaceBench.Name)]
public sealed class ReplaceTests(ReplaceBench bench)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Owner_rights_settings_comment_and_limit_are_the_present_ones_and_undoing_goes_back_and_forth()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        var server = database.Server;
        var (owner, reader) = (bench.Unique("owner"), bench.Unique("reader"));
        await server.ExecuteAsync($"""
            CREATE ROLE {owner}; CREATE ROLE {reader};
            ALTER DATABASE {database.Name} OWNER TO {owner};
            REVOKE ALL ON DATABASE {database.Name} FROM PUBLIC; GRANT CONNECT ON DATABASE {database.Name} TO {reader} WITH GRANT OPTION;
            ALTER DATABASE {database.Name} SET work_mem = '7MB'; ALTER DATABASE {database.Name} SET search_path = app, "odd Name", public;
            ALTER ROLE {reader} IN DATABASE {database.Name} SET statement_timeout = '9s';
            ALTER DATABASE {database.Name} CONNECTION LIMIT 42;
            COMMENT ON DATABASE {database.Name} IS E'the shop''s own\n[of: x]';
            """, cancel: Cancel);
        var before = await LooksAsync(database);

        var result = await ReplaceBench.ReplaceAsync(workshop, database, backup);
        Assert.Equal("backup", await ReplaceBench.StateAsync(server, database.Name));
        Assert.Equal(before, await LooksAsync(database));
        var kept = result.Replaced!.KeptAs;
        Assert.Matches($"^{database.Name}_before_[0-9]{{8}}_[0-9]{{6}}$", kept);
        Assert.Equal("live", await ReplaceBench.StateAsync(server, kept));
        var previous = Assert.Single(await ReplaceBench.PreviousAsync(database.Uri));
        Assert.Equal((kept, database.Name, backup.Id), (previous.Name, previous.Of, previous.BackupId));
        Assert.True(previous.Size > 1_000_000);

        var undone = await ReplaceBench.UndoAsync(database.Uri);
        Assert.Equal((kept, previous.Replaced), (undone.BroughtBack, undone.StateOf));
        Assert.Equal("live", await ReplaceBench.StateAsync(server, database.Name));
        Assert.Equal(before, await LooksAsync(database));
        Assert.Equal(undone.Replaced!.KeptAs, Assert.Single(await ReplaceBench.PreviousAsync(database.Uri)).Name);

        await ReplaceBench.UndoAsync(database.Uri);
        Assert.Equal("backup", await ReplaceBench.StateAsync(server, database.Name));
        Assert.Equal(before, await LooksAsync(database));
        await ReplaceBench.UndoAsync(database.Uri);
        Assert.Equal("live", await ReplaceBench.StateAsync(server, database.Name));
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task What_is_changed_while_the_new_one_is_made_comes_along_too()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        await database.Server.ExecuteAsync($"ALTER DATABASE {database.Name} SET work_mem = '7MB'; COMMENT ON DATABASE {database.Name} IS 'one'; GRANT CREATE ON DATABASE {database.Name} TO pg_monitor", cancel: Cancel);
        var expected = "";
        await ReplaceBench.ReplaceAsync(workshop, database, backup, observer: new At("Indexes and keys …", async () =>
        {
            await database.Server.ExecuteAsync($"ALTER DATABASE {database.Name} RESET work_mem; ALTER DATABASE {database.Name} SET temp_buffers = '9MB'; COMMENT ON DATABASE {database.Name} IS 'two'; REVOKE CREATE ON DATABASE {database.Name} FROM pg_monitor; ALTER DATABASE {database.Name} CONNECTION LIMIT 77", cancel: Cancel);
            expected = await LooksAsync(database);
        }));
        Assert.Equal("backup", await ReplaceBench.StateAsync(database.Server, database.Name));
        Assert.Equal(expected, await LooksAsync(database));
        await ReplaceBench.UndoAsync(database.Uri);
        Assert.Equal(expected, await LooksAsync(database));
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task Clients_that_hammer_meanwhile_see_the_old_or_the_new_whole_and_get_in_again()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var seen = new ConcurrentQueue<string>();
        var refused = new ConcurrentQueue<string>();
        async Task HammerAsync(bool stays)
        {
            var was = "live";
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    await using var connection = await database.OpenAsync(Cancel);
                    do
                    {
                        var state = await ReplaceBench.StateAsync(connection);
                        seen.Enqueue(state);
                        Assert.False(was == "backup" && state == "live", "The old one came back by itself.");
                        was = state;
                    }
                    while (stays && !stop.IsCancellationRequested);
                }
                catch (PostgresException e)
                {
                    refused.Enqueue(e.SqlState);
                }
                catch (NpgsqlException e) when (e.InnerException is IOException or System.Net.Sockets.SocketException)
                {
                    refused.Enqueue("cut");
                }
            }
        }

        var clients = Enumerable.Range(0, 10).Select(i => Task.Run(() => HammerAsync(i < 4), Cancel)).ToList();
        var result = await ReplaceBench.ReplaceAsync(workshop, database, backup);
        var swapped = seen.Count;
        await Task.Delay(1500, Cancel);
        await stop.CancelAsync();
        await Task.WhenAll(clients);
        Assert.True(seen.Count > swapped + 10);
        Assert.Equal("backup", seen.Last());
        Assert.Contains("live", seen);
        Assert.True(result.Replaced!.SessionsEnded.Count >= 4);
        Assert.True(result.Replaced.Interruption < TimeSpan.FromSeconds(8), $"{result.Replaced.Interruption}");

        // Cut off, or come just when the name changed hands; and nothing else.
        Assert.Empty(refused.Except(["57P01", "3D000", "cut"]));
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task Clients_behind_a_pooler_get_the_new_one()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        await using var pooler = await PostgresFixture.OrSkipAsync(() => PgBouncer.StartAsync(database.Server, PoolMode.Transaction, settings: ["server_login_retry = 1"], cancel: Cancel));
        async Task<string> ThroughAsync()
        {
            await using var connection = new NpgsqlConnection($"{PostgresText(pooler, database.Name)}");
            await connection.OpenAsync(Cancel);
            return await ReplaceBench.StateAsync(connection);
        }

        Assert.Equal("live", await ThroughAsync());
        await ReplaceBench.ReplaceAsync(workshop, database, backup);
        var state = "";
        await Workbench.EventuallyAsync("pooler", async () =>
        {
            try
            {
                state = await ThroughAsync();
                return "";
            }
            catch (NpgsqlException e)
            {
                return e.Message;
            }
        });
        Assert.Equal("backup", state);
        await ReplaceBench.CleanAsync(database);
    }

    [Theory]
    [InlineData("a name of 63 bytes")]
    [InlineData("odd \"name\" with 'quotes', {braces}, $dollars \\ and ünï")]
    [InlineData("Select")]
    public async Task Any_name_can_be_replaced_and_undone(string name)
    {
        if (name.StartsWith("a name of", StringComparison.Ordinal))
        {
            name = "ü" + new string('n', 61);
        }

        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop, name);
        var result = await ReplaceBench.ReplaceAsync(workshop, database, backup);
        Assert.True(System.Text.Encoding.UTF8.GetByteCount(result.Replaced!.KeptAs) <= 63);
        Assert.Equal("backup", await ReplaceBench.StateAsync(database.Server, name));
        Assert.Equal("live", await ReplaceBench.StateAsync(database.Server, result.Replaced.KeptAs));
        await ReplaceBench.UndoAsync(database.Uri);
        Assert.Equal("live", await ReplaceBench.StateAsync(database.Server, name));
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task Prepared_transactions_are_refused_beforehand_and_when_they_come_meanwhile()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        const string Prepare = "BEGIN; UPDATE state SET v = v WHERE id = 1; PREPARE TRANSACTION 'half done'";
        await database.ExecuteAsync(Prepare, Cancel);
        var readiness = await ReplaceBench.TestAsync(workshop, database.Uri, backup, database.Name);
        Assert.False(readiness.Go);
        Assert.Equal("PreparedTransactions", Assert.Single(readiness.Failed).ErrorId);
        Assert.Contains("half done", (await Workshop.RefusedAsync("PreparedTransactions", () => ReplaceBench.ReplaceAsync(workshop, database, backup))).Message, StringComparison.Ordinal);
        await database.ExecuteAsync("ROLLBACK PREPARED 'half done'", Cancel);

        await Workshop.RefusedAsync("PreparedTransactions", () => ReplaceBench.ReplaceAsync(workshop, database, backup, observer: new At("Indexes and keys …", () => database.ExecuteAsync(Prepare, Cancel))));
        await database.ExecuteAsync("ROLLBACK PREPARED 'half done'", Cancel);
        await ExpectUntouchedAsync(database);
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task What_hangs_on_the_database_itself_is_told_of()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        var slot = bench.Unique("slot");
        await database.ExecuteAsync($"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')", Cancel);
        await database.ExecuteAsync("CREATE TABLE since (x int); ALTER TABLE state ADD COLUMN added int", Cancel);
        var readiness = await ReplaceBench.TestAsync(workshop, database.Uri, backup, database.Name);
        Assert.True(readiness.Go, string.Join("; ", readiness.Failed.Select(c => c.Message)));
        Assert.Contains(slot, Assert.Single(readiness.Checks, c => c.Name == "Replication").Message, StringComparison.Ordinal);
        var drift = Assert.Single(readiness.Checks, c => c.Name == "SchemaDrift");
        Assert.Contains("public.since is not in the backup", drift.Message, StringComparison.Ordinal);
        Assert.Contains("public.state.added is not in the backup", drift.Message, StringComparison.Ordinal);
        Assert.Equal(ReadinessStatus.Warning, drift.Status);

        var result = await ReplaceBench.ReplaceAsync(workshop, database, backup);
        Assert.Contains(workshop.Warnings, w => w.Contains(slot, StringComparison.Ordinal));

        Assert.Equal(result.Replaced!.KeptAs, await database.Server.ScalarAsync<string>($"SELECT database::text FROM pg_replication_slots WHERE slot_name = '{slot}'", cancel: Cancel));

        // Whoever looks into the old one keeps it from being removed, and is told of.
        await using (var inside = await database.Server.OpenAsync(result.Replaced.KeptAs, cancel: Cancel))
        {
            var failed = new List<MoltException>();
            Assert.Empty(await PreviousRemoval.RunAsync(new PreviousRemovalOptions { Connection = ConnectionSettings.Parse(database.Uri) }, _ => Task.FromResult(true), failed.Add, Cancel));
            Assert.Equal("PreviousNotRemoved", Assert.Single(failed).Id);
        }

        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task A_second_replacement_at_the_same_time_is_refused()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        var refusals = new List<string>();
        await ReplaceBench.ReplaceAsync(workshop, database, backup, observer: new At("Indexes and keys …", async () =>
        {
            refusals.Add((await Assert.ThrowsAsync<MoltException>(() => ReplaceBench.ReplaceAsync(workshop, database, backup))).Id);
        }));
        Assert.Equal(["ReplaceRunning"], refusals);
        Assert.Equal("backup", await ReplaceBench.StateAsync(database.Server, database.Name));
        Assert.Single(await ReplaceBench.PreviousAsync(database.Uri));
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task A_running_backup_is_waited_for_and_not_for_ever()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        await using (var running = await database.OpenAsync(Cancel))
        {
            await using var command = new NpgsqlCommand($"SELECT pg_advisory_lock({0x6d6f6c74}, 1)", running);
            await command.ExecuteNonQueryAsync(Cancel);
            await Workshop.RefusedAsync("BackupInTheWay", () => ReplaceBench.ReplaceAsync(workshop, database, backup, o => o with { BackupWait = TimeSpan.FromSeconds(1) }));
            await ExpectUntouchedAsync(database);

            var replacing = ReplaceBench.ReplaceAsync(workshop, database, backup);
            await Workbench.EventuallyAsync("no wait", () => Task.FromResult(workshop.Warnings.Any(w => w.Contains("waiting until it has ended", StringComparison.Ordinal)) ? "" : "yet"));
            Assert.Equal("live", await ReplaceBench.StateAsync(database.Server, database.Name));
            await running.CloseAsync();
            await replacing;
        }

        Assert.Equal("backup", await ReplaceBench.StateAsync(database.Server, database.Name));
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task An_owner_who_is_no_superuser_can_do_all_of_it()
    {
        using var workshop = new Workshop();
        var server = await bench.ServerAsync();
        var owner = bench.Unique("plain");
        await server.ExecuteAsync($"CREATE ROLE {owner} LOGIN CREATEDB PASSWORD 'x'", cancel: Cancel);
        var name = bench.Unique("owned");
        await server.ExecuteAsync($"CREATE DATABASE {name} OWNER {owner}", cancel: Cancel);
        var database = (await bench.MakeAsync(workshop)).Database;
        await ReplaceBench.CleanAsync(database);
        var uri = server.Uri(name, owner, "x");
        await using (var connection = await server.OpenAsync(name, owner, "x", Cancel))
        await using (var command = new NpgsqlCommand($"CREATE TABLE state AS SELECT i AS id, 'backup'::text AS v FROM generate_series(1, {ReplaceBench.Rows}) i", connection))
        {
            await command.ExecuteNonQueryAsync(Cancel);
        }

        var backup = await workshop.BackupAsync(uri);
        await server.ExecuteAsync("UPDATE state SET v = 'live'", name, Cancel);
        await Workshop.RestoreAsync(workshop.Store, backup.Name, uri, name, o => o with { Replace = true }, workshop, Cancel);
        Assert.Equal("backup", await ReplaceBench.StateAsync(server, name));
        await ReplaceBench.UndoAsync(uri);
        Assert.Equal("live", await ReplaceBench.StateAsync(server, name));
        Assert.Single(await PreviousRemoval.RunAsync(new PreviousRemovalOptions { Connection = ConnectionSettings.Parse(uri) }, _ => Task.FromResult(true), e => throw e, Cancel));
        Assert.Empty(await ReplaceBench.PreviousAsync(uri));
        await server.DropDatabaseAsync(name, Cancel);
    }

    [Theory]
    [InlineData("NOCREATEDB", true, false, "CannotCreateDatabase")]
    [InlineData("CREATEDB", false, false, "CannotRenameDatabase")]
    [InlineData("CREATEDB", true, true, "SessionsNotEnded")]
    public async Task What_the_role_may_not_do_is_found_before_anything_is_made(string may, bool owns, bool superuserInside, string id)
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        var role = bench.Unique("may_not");
        await database.Server.ExecuteAsync($"CREATE ROLE {role} LOGIN {may} PASSWORD 'x'", cancel: Cancel);
        if (owns)
        {
            await database.Server.ExecuteAsync($"ALTER DATABASE {database.Name} OWNER TO {role}", cancel: Cancel);
        }

        await using var inside = superuserInside ? await database.OpenAsync(Cancel) : null;
        var readiness = await ReplaceBench.TestAsync(workshop, database.Server.Uri(database.Name, role, "x"), backup, database.Name, o => o with { NoOwner = true });
        Assert.False(readiness.Go);
        Assert.Null(readiness.Plan);
        Assert.Contains(readiness.Failed, c => c.ErrorId == id);
        Assert.All(readiness.Failed, c => Assert.False(string.IsNullOrEmpty(c.Remedy)));
        await Assert.ThrowsAsync<MoltException>(() => ReplaceBench.ReplaceAsync(workshop, database, backup, o => o with { NoOwner = true }, database.Server.Uri(database.Name, role, "x")));
        await ExpectUntouchedAsync(database);
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task Only_databases_that_say_so_themselves_are_removed_and_only_when_old_enough()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        var kept = (await ReplaceBench.ReplaceAsync(workshop, database, backup)).Replaced!.KeptAs;
        var comment = await database.Server.ScalarAsync<string>($"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{kept}'", cancel: Cancel);
        var other = $"{database.Name}_before_20200101_000000";
        await database.Server.ExecuteAsync($"CREATE DATABASE {other}", cancel: Cancel);
        await database.Server.ExecuteAsync($"COMMENT ON DATABASE {other} IS {Sql.Literal(comment)}", cancel: Cancel);
        Assert.Equal([kept], (await ReplaceBench.PreviousAsync(database.Uri)).Select(p => p.Name));
        Task<IReadOnlyList<PreviousDatabase>> RemoveAsync(PreviousRemovalOptions options, bool yes = true) => PreviousRemoval.RunAsync(options, _ => Task.FromResult(yes), e => throw e, Cancel);
        var options = new PreviousRemovalOptions { Connection = ConnectionSettings.Parse(database.Uri) };
        await Workshop.RefusedAsync("NothingToUndo", () => RemoveAsync(options with { Name = other }));
        await Workshop.RefusedAsync("NothingToUndo", () => ReplaceBench.UndoAsync(database.Uri, other));
        Assert.Empty(await RemoveAsync(options with { OlderThan = TimeSpan.FromDays(1) }));
        Assert.Empty(await RemoveAsync(options, yes: false));
        Assert.Single(await ReplaceBench.PreviousAsync(database.Uri));
        await Task.Delay(1100, Cancel);
        Assert.Equal([kept], (await RemoveAsync(options with { OlderThan = TimeSpan.FromSeconds(1) })).Select(p => p.Name));
        await Workshop.RefusedAsync("NothingToUndo", () => ReplaceBench.UndoAsync(database.Uri));
        await database.Server.DropDatabaseAsync(other, Cancel);
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task A_database_that_is_gone_is_brought_back_too_and_one_that_never_was_cannot_be_replaced()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        await ReplaceBench.ReplaceAsync(workshop, database, backup);
        await database.Server.DropDatabaseAsync(database.Name, Cancel);
        await Workshop.RefusedAsync("NothingToReplace", () => ReplaceBench.ReplaceAsync(workshop, database, backup));
        Assert.Null((await ReplaceBench.UndoAsync(database.Uri)).Replaced);
        Assert.Equal("live", await ReplaceBench.StateAsync(database.Server, database.Name));
        await Workshop.RefusedAsync("ReplaceInvalid", () => ReplaceBench.ReplaceAsync(workshop, database, backup, o => o with { Tables = ["state"] }));
        await Workshop.RefusedAsync("ReplaceInvalid", () => ReplaceBench.ReplaceAsync(workshop, database, backup, o => o with { SkipProof = true }));
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task A_look_shows_which_server_it_is_and_who_is_there_and_changes_nothing()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        var server = database.Server;
        await using var inside = await database.OpenAsync(Cancel);
        Task<string> DatabasesAsync() => server.ScalarAsync<string>("SELECT string_agg(d::text, ' ' ORDER BY oid) FROM pg_database d", cancel: Cancel);
        var before = await DatabasesAsync();
        var readiness = await ReplaceBench.TestAsync(workshop, database.Uri, backup, database.Name);
        Assert.Equal(before, await DatabasesAsync());
        Assert.True(readiness.Go, string.Join("; ", readiness.Failed.Select(c => c.Message)));
        Assert.Equal(await server.ScalarAsync<string>("SELECT system_identifier::text FROM pg_control_system()", cancel: Cancel), readiness.SystemIdentifier);
        Assert.Equal(await server.ScalarAsync<uint>($"SELECT oid FROM pg_database WHERE datname = '{database.Name}'", cancel: Cancel), readiness.DatabaseOid);
        Assert.Contains("1 sessions", readiness.Checks.Single(c => c.Name == "Sessions").Message, StringComparison.Ordinal);
        Assert.Contains("made of this cluster", readiness.Checks.Single(c => c.Name == "Identity").Message, StringComparison.Ordinal);
        Assert.NotEqual(ReadinessStatus.Unknown, readiness.Checks.Single(c => c.Name == "Disk").Status);
        Assert.Equal(readiness.Checks.Count, readiness.Checks.Select(c => c.Name).Distinct().Count());
        Assert.Equal(["ClientTools", "Identity", "Primary", "ServerVersion", "Target", "Rights", "Roles", "Extensions", "Tablespaces", "Disk", "Connections", "Locks", "SwapRights", "Sessions", "PreparedTransactions", "RunningBackup", "Replication", "Encoding", "SchemaDrift", "PreviousDatabases"],
            readiness.Checks.Select(c => c.Name));
        Assert.Equal("live", await ReplaceBench.StateAsync(inside));

        readiness = await ReplaceBench.TestAsync(workshop, database.Uri, backup, database.Name, o => o with { ServerFreeBytes = 1000 });
        Assert.Equal("DiskTooSmall", Assert.Single(readiness.Failed).ErrorId);
        await Workshop.RefusedAsync("DiskTooSmall", () => ReplaceBench.ReplaceAsync(workshop, database, backup, o => o with { ServerFreeBytes = 1000 }));
        await ReplaceBench.ReplaceAsync(workshop, database, backup, o => o with { ServerFreeBytes = 1000, IgnoreDiskSpace = true });
        Assert.Equal("backup", await ReplaceBench.StateAsync(server, database.Name));
        await ReplaceBench.CleanAsync(database);
    }

    private async Task ExpectUntouchedAsync(TestDatabase database)
    {
        Assert.Equal("live", await ReplaceBench.StateAsync(database.Server, database.Name));
        Assert.Empty(await ReplaceBench.PreviousAsync(database.Uri));
        Assert.Equal(0, await database.Server.ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname LIKE 'molt\\_restoring\\_%'", cancel: Cancel));
    }

    /// <summary>Everything about a database that does not lie in it.</summary>
    private static Task<string> LooksAsync(TestDatabase database) => database.Server.ScalarAsync<string>($"""
        SELECT concat_ws(' | ', pg_get_userbyid(datdba), encoding, datcollate, datconnlimit, datistemplate, datallowconn, shobj_description(d.oid, 'pg_database'),
          (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(coalesce(datacl, acldefault('d', datdba))) a),
          (SELECT string_agg(concat_ws(':', setrole::regrole, (SELECT string_agg(c, ';' ORDER BY c) FROM unnest(setconfig) c)), ',' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid))
        FROM pg_database d WHERE datname = {Sql.Literal(database.Name)}
        """, cancel: Cancel);

    private static string PostgresText(PgBouncer pooler, string database)
        => $"Host=127.0.0.1;Port={pooler.Port};Database={database};Username=postgres;Password='{PostgresServer.Password}';Pooling=false;Max Auto Prepare=0;No Reset On Close=true;Server Compatibility Mode=NoTypeLoading";

    /// <summary>Does something when the operation says that it has come so far.</summary>
    private sealed class At(string line, Func<Task> action) : IOperationObserver
    {
        private int _done;

        public void Verbose(string message)
        {
            if (message == line && Interlocked.Exchange(ref _done, 1) == 0)
            {
                action().GetAwaiter().GetResult();
            }
        }

        public void Warning(string message)
        {
        }

        public void Progress(OperationProgress progress)
        {
        }
    }
}
