using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>Whom, where from and through what a backup is taken.</summary>
public sealed class SourceTests(PostgresFixture postgres)
{
    private const string Password = "role's password";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hot_standby_gives_the_same_backup_but_for_unlogged_rows()
    {
        var primary = await postgres.ServerAsync();
        await using var source = await postgres.CreateEverythingAsync();
        await using var standby = await PostgresFixture.OrSkipAsync(() => StandbyServer.StartAsync(primary, Cancel));
        await standby.WaitForReplayAsync(Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(standby.Server.Uri(source.Name));
        await workshop.VerifyAsync(backup);
        Assert.Contains(backup.Notes, n => n.Contains("app.unlogged", StringComparison.Ordinal));
        await using (var archive = await workshop.OpenAsync(backup))
            Assert.True(archive.Manifest.Server.InRecovery);

        var copy = postgres.Unique("copy");
        try
        {
            var result = await workshop.RestoreAsync(backup, primary, copy);
            Assert.Equal(ProofStatus.Proven, result.Proof);
            Assert.True(result.LargeObjectsProven);
            Assert.Equal(0L, await primary.ScalarAsync<long>("SELECT count(*) FROM app.unlogged", copy, Cancel));
            await source.ExecuteAsync("TRUNCATE app.unlogged", Cancel);
            await Likeness.AssertRowsAsync(source, primary, copy);
            var e = await Workshop.RefusedAsync("ServerIsStandby", () => workshop.RestoreAsync(backup, standby.Server, postgres.Unique("copy")));
            Assert.Contains("standby", e.Message, StringComparison.Ordinal);
        }
        finally
        {
            await primary.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task A_role_with_pg_read_all_data_and_bypassrls_suffices()
    {
        await using var source = await postgres.CreateEverythingAsync();
        var server = source.Server;
        await using var role = await RoleAsync(server, "BYPASSRLS IN ROLE pg_read_all_data");
        await source.ExecuteAsync($"GRANT CONNECT ON DATABASE {Sql.Identifier(source.Name)} TO {role.Name}; SELECT lo_unlink(oid) FROM pg_largeobject_metadata", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(server.Uri(source.Name, role.Name, Password));
        await workshop.VerifyAsync(backup);
        Assert.Empty(backup.Notes);
        var copy = postgres.Unique("copy");
        try
        {
            await workshop.RestoreAsync(backup, server, copy);
            await Likeness.AssertRowsAsync(source, server, copy);
        }
        finally
        {
            await server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task A_plain_owner_backs_up_and_restores_its_own_database()
    {
        var server = await postgres.ServerAsync();
        await using var role = await RoleAsync(server, "CREATEDB");
        await using var source = await postgres.CreateDatabaseAsync("owned", new DatabaseOptions { Owner = role.Name });
        await using (var owner = await server.OpenAsync(source.Name, role.Name, Password, Cancel))
        {
            await using var command = new NpgsqlCommand(
                "CREATE SCHEMA s; CREATE TABLE s.t (id serial PRIMARY KEY, t text); INSERT INTO s.t (t) SELECT 'x' || i FROM generate_series(1, 1000) i; SELECT lo_from_bytea(0, 'large')", owner);
            await command.ExecuteNonQueryAsync(Cancel);
        }

        using var workshop = new Workshop();
        var uri = server.Uri(source.Name, role.Name, Password);
        var backup = await workshop.BackupAsync(uri);
        Assert.Contains(backup.Notes, n => n.Contains("passwords", StringComparison.Ordinal));
        await workshop.VerifyAsync(backup);
        var copy = postgres.Unique("copy");
        try
        {
            var result = await workshop.RestoreAsync(backup, uri, copy);
            Assert.Equal(ProofStatus.Proven, result.Proof);
            await Likeness.AssertAsync(source, server, copy);
        }
        finally
        {
            await server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task A_role_that_may_not_see_all_rows_is_refused()
    {
        await using var source = await postgres.CreateDatabaseAsync("rls");
        var server = source.Server;
        await using var reader = await RoleAsync(server, "IN ROLE pg_read_all_data");
        await using var owner = await RoleAsync(server, "IN ROLE pg_read_all_data");
        await source.ExecuteAsync($"""
            CREATE TABLE guarded (id integer); INSERT INTO guarded SELECT generate_series(1, 10);
            ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON guarded USING (id < 3); ALTER TABLE guarded OWNER TO {owner.Name}
            """, Cancel);
        using var workshop = new Workshop();
        var e = await Workshop.RefusedAsync("RowsHidden", () => workshop.BackupAsync(server.Uri(source.Name, reader.Name, Password)));
        Assert.Contains("public.guarded", e.Message, StringComparison.Ordinal);

        Assert.Equal(10, (await workshop.BackupAsync(server.Uri(source.Name, owner.Name, Password))).Rows);
        await source.ExecuteAsync("ALTER TABLE guarded FORCE ROW LEVEL SECURITY", Cancel);
        await Workshop.RefusedAsync("RowsHidden", () => workshop.BackupAsync(server.Uri(source.Name, owner.Name, Password)));
        Assert.Single(Directory.GetFiles(workshop.Folder));
    }

    [Fact]
    public async Task A_role_with_bypassrls_backs_up_all_rows()
    {
        await using var source = await postgres.CreateDatabaseAsync("rls");
        await using var reader = await RoleAsync(source.Server, "BYPASSRLS IN ROLE pg_read_all_data");
        await source.ExecuteAsync("""
            CREATE TABLE guarded (id integer); INSERT INTO guarded SELECT generate_series(1, 10);
            ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY none ON guarded USING (false)
            """, Cancel);
        using var workshop = new Workshop();
        Assert.Equal(10, (await workshop.BackupAsync(source.Server.Uri(source.Name, reader.Name, Password))).Rows);
    }

    [Fact]
    public async Task A_table_that_may_not_be_read_is_named_and_can_be_left_out()
    {
        await using var source = await postgres.CreateDatabaseAsync("closed");
        await using var role = await RoleAsync(source.Server, "");
        await source.ExecuteAsync($"CREATE TABLE open (id integer); GRANT SELECT ON open TO {role.Name}; INSERT INTO open VALUES (1); CREATE TABLE closed (id integer)", Cancel);
        using var workshop = new Workshop();
        var uri = source.Server.Uri(source.Name, role.Name, Password);
        var e = await Workshop.RefusedAsync("TableNotReadable", () => workshop.BackupAsync(uri));
        Assert.Contains("closed", e.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await workshop.BackupAsync(uri, o => o with { ExcludeTables = ["closed"] })).Rows);
    }

    [Fact]
    public async Task Transaction_pooling_is_refused()
    {
        var server = await postgres.ServerAsync();
        await using var source = await postgres.CreateDatabaseAsync("pooled");
        await using var bouncer = await PostgresFixture.OrSkipAsync(() => PgBouncer.StartAsync(server, PoolMode.Transaction, cancel: Cancel));
        using var workshop = new Workshop();
        var e = await Workshop.RefusedAsync("TransactionPooling", () => workshop.BackupAsync(bouncer.Uri(source.Name)));
        Assert.Contains("pooler", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(workshop.Folder));
    }

    [Fact]
    public async Task Statement_pooling_is_refused()
    {
        var server = await postgres.ServerAsync();
        await using var source = await postgres.CreateDatabaseAsync("pooled");
        await using var bouncer = await PostgresFixture.OrSkipAsync(() => PgBouncer.StartAsync(server, PoolMode.Transaction, settings: ["pool_mode = statement"], cancel: Cancel));
        using var workshop = new Workshop();
        await Workshop.RefusedAsync("TransactionPooling", () => workshop.BackupAsync(bouncer.Uri(source.Name)));
    }

    [Fact]
    public async Task Session_pooling_backs_up_and_restores()
    {
        var server = await postgres.ServerAsync();
        await using var source = await postgres.CreateDatabaseAsync("pooled");
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY, t text); INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 1000) i", Cancel);
        await using var bouncer = await PostgresFixture.OrSkipAsync(() => PgBouncer.StartAsync(server, PoolMode.Session, cancel: Cancel));
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(bouncer.Uri(source.Name));
        await workshop.VerifyAsync(backup);
        Assert.Equal(1000, backup.Rows);
        var copy = postgres.Unique("copy");
        try
        {
            await workshop.RestoreAsync(backup, bouncer.Uri(), copy);
            await Likeness.AssertAsync(source, server, copy);
        }
        finally
        {
            await server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task Client_tools_older_than_the_server_are_named()
    {
        var binaries = await PostgresFixture.OrSkipAsync(Postgres18.BinariesAsync);
        await using var server = await PostgresServer.StartAsync(new PostgresOptions { Binaries = binaries }, Cancel);
        using var workshop = new Workshop();
        var own = ClientTools.Find(15).Folder;
        var e = await Workshop.RefusedAsync("ClientToolsTooOld", () => workshop.BackupAsync(server.Uri(), o => o with { ClientToolFolder = own }));
        Assert.Contains("18", e.Message, StringComparison.Ordinal);
        Assert.Contains("postgresql-client-18", e.Remedy, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(workshop.Folder));
    }

    private async Task<TestRole> RoleAsync(PostgresServer server, string options)
    {
        var name = postgres.Unique("backup_role");
        await server.ExecuteAsync($"CREATE ROLE {name} LOGIN PASSWORD {Sql.Literal(Password)} {options}", cancel: Cancel);
        return new TestRole(server, name);
    }

    /// <summary>A role; its databases are gone before it.</summary>
    private sealed class TestRole(PostgresServer server, string name) : IAsyncDisposable
    {
        public string Name => name;

        public async ValueTask DisposeAsync()
        {
            try
            {
                await server.ExecuteAsync($"DROP ROLE {name}");
            }
            catch (PostgresException)
            {
                // Something of a failed test depends on it; the server goes with the tests.
            }
        }
    }
}
