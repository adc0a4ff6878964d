using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

/// <summary>What a target server lacks, or has more of.</summary>
public sealed class TargetServerTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_backup_of_15_is_restored_into_18()
    {
        var binaries = await PostgresFixture.OrSkipAsync(Postgres18.BinariesAsync);
        await using var target = await PostgresServer.StartAsync(new PostgresOptions { Binaries = binaries }, Cancel);
        await using var source = await postgres.CreateEverythingAsync();
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var result = await workshop.RestoreAsync(backup, target, "copy", o => o with { CreateRoles = true });
        Assert.Equal(ProofStatus.Proven, result.Proof);
        Assert.True(result.LargeObjectsProven);
        Assert.Equal(EverythingDatabase.Roles.Order(StringComparer.Ordinal), result.RolesCreated.Order(StringComparer.Ordinal));
        await Likeness.AssertRowsAsync(source, target, "copy");
    }

    [Fact]
    public async Task Missing_roles_are_named_before_anything_is_made_and_can_be_made()
    {
        await using var target = await PostgresServer.StartAsync(cancel: Cancel);
        await using var source = await postgres.CreateEverythingAsync();
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var before = await StateAsync(target);
        var e = await Workshop.RefusedAsync("RolesMissing", () => workshop.RestoreAsync(backup, target, "copy"));
        Assert.All(EverythingDatabase.Roles, r => Assert.Contains(r, e.Message, StringComparison.Ordinal));
        Assert.Equal(before, await StateAsync(target));

        // Without owners and rights, roles that policies and user mappings name are still needed.
        e = await Workshop.RefusedAsync("RolesMissing", () => workshop.RestoreAsync(backup, target, "copy", o => o with { NoOwner = true }));
        Assert.DoesNotContain("molt_writer", e.Message, StringComparison.Ordinal);

        var result = await workshop.RestoreAsync(backup, target, "copy", o => o with { CreateRoles = true });
        Assert.Equal(ProofStatus.Proven, result.Proof);
        await Likeness.AssertAsync(source, target, "copy", schema: false); // a policy lists its roles in the order of their oids
        Assert.True(await target.ScalarAsync<bool>("SELECT pg_has_role('molt_app', 'molt_reader', 'MEMBER') AND (SELECT rolconnlimit = 50 FROM pg_roles WHERE rolname = 'molt_app') AND NOT (SELECT rolinherit FROM pg_roles WHERE rolname LIKE '%odd%')", cancel: Cancel));
        await using var login = await target.OpenAsync("copy", EverythingDatabase.AppRole, EverythingDatabase.AppPassword, Cancel);
    }

    [Fact]
    public async Task Without_owners_everything_belongs_to_who_restores()
    {
        await using var target = await PostgresServer.StartAsync(cancel: Cancel);
        await using var source = await postgres.CreateDatabaseAsync("owned");
        var role = postgres.Unique("only_here");
        await source.Server.ExecuteAsync($"CREATE ROLE {role}", cancel: Cancel);
        try
        {
            await source.ExecuteAsync($"""
                CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5); ALTER TABLE t OWNER TO {role}; GRANT SELECT ON t TO PUBLIC;
                ALTER DATABASE {source.Name} OWNER TO {role}; ALTER ROLE {role} IN DATABASE {source.Name} SET work_mem = '8MB'; ALTER DATABASE {source.Name} SET work_mem = '9MB'
                """, Cancel);
            using var workshop = new Workshop();
            var backup = await workshop.BackupAsync(source);
            await Workshop.RefusedAsync("RolesMissing", () => workshop.RestoreAsync(backup, target, "copy"));
            await workshop.RestoreAsync(backup, target, "copy", o => o with { NoOwner = true });
            Assert.Equal("postgres", await target.ScalarAsync<string>("SELECT tableowner::text FROM pg_tables WHERE tablename = 't'", "copy", Cancel));
            Assert.Equal("9MB", await target.ScalarAsync<string>("SHOW work_mem", "copy", Cancel));
        }
        finally
        {
            await source.ExecuteAsync($"DROP OWNED BY {role}", CancellationToken.None);
            await source.Server.ExecuteAsync($"ALTER DATABASE {source.Name} OWNER TO postgres; DROP ROLE {role}", cancel: CancellationToken.None);
        }
    }

    [Fact]
    public async Task Missing_extensions_are_named_before_anything_is_made()
    {
        await using var target = await PostgresServer.StartAsync(cancel: Cancel);
        await using var source = await postgres.CreateDatabaseAsync("extended");
        await source.ExecuteAsync("CREATE EXTENSION molt_settings; CREATE EXTENSION hstore", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var control = Directory.GetFiles(Path.GetDirectoryName(target.DataFolder)!, "molt_settings.control", SearchOption.AllDirectories).Single();
        File.Delete(control);
        var before = await StateAsync(target);
        var e = await Workshop.RefusedAsync("ExtensionsMissing", () => workshop.RestoreAsync(backup, target, "copy"));
        Assert.Contains("molt_settings 1.0", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hstore", e.Message, StringComparison.Ordinal);
        Assert.Equal(before, await StateAsync(target));
    }

    [Fact]
    public async Task Missing_tablespaces_are_named_and_can_be_done_without()
    {
        await using var target = await PostgresServer.StartAsync(cancel: Cancel);
        // In place: a folder of the cluster's own, as the server may not write elsewhere.
        await using var own = await PostgresServer.StartAsync(new PostgresOptions { Configuration = ["allow_in_place_tablespaces = on"] }, Cancel);
        await own.ExecuteAsync("CREATE TABLESPACE fast LOCATION ''", cancel: Cancel);
        await using var source = await own.CreateDatabaseAsync("spaced", cancel: Cancel);
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY USING INDEX TABLESPACE fast) TABLESPACE fast; INSERT INTO t SELECT generate_series(1, 9)", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var e = await Workshop.RefusedAsync("TablespacesMissing", () => workshop.RestoreAsync(backup, target, "copy"));
        Assert.Contains("fast", e.Message, StringComparison.Ordinal);
        await workshop.RestoreAsync(backup, target, "copy", o => o with { NoTablespaces = true });
        Assert.Equal(9L, await target.ScalarAsync<long>("SELECT count(*) FROM t", "copy", Cancel));
        await workshop.RestoreAsync(backup, own, "copy");
        Assert.Equal("fast", await own.ScalarAsync<string>("SELECT tablespace::text FROM pg_tables WHERE tablename = 't'", "copy", Cancel));
    }

    private static async Task<string> StateAsync(PostgresServer server)
        => await server.ScalarAsync<string>("SELECT (SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database) || '; ' || (SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles)", cancel: Cancel);
}
