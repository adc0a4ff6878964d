using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

/// <summary>What a restore would do, looked up without doing it.</summary>
public sealed class RestorePlanTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_plan_says_what_would_be_made_and_changes_nothing()
    {
        await using var target = await PostgresServer.StartAsync(cancel: Cancel);
        await using var source = await postgres.CreateEverythingAsync();
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var before = (await ServerAsync(target), Files(workshop));
        var during = "";
        var plan = await workshop.PlanRestoreAsync(backup, target.Uri(), "copy", o => o with { CreateRoles = true }, async () => during = await ServerAsync(target) + Files(workshop));
        Assert.Equal(before, (await ServerAsync(target), Files(workshop)));
        Assert.Equal(before.Item1 + before.Item2, during);

        var done = await workshop.RestoreAsync(backup, target, "copy", o => o with { CreateRoles = true });
        Assert.Equal((done.Database, done.Rows, done.Tables.Count, done.StateOf), (plan.Database, plan.Rows, plan.Tables, plan.StateOf));
        Assert.Equal(done.RolesCreated.Order(StringComparer.Ordinal), plan.RolesToCreate.Order(StringComparer.Ordinal));
        Assert.Equal((await workshop.ContentsAsync(backup)).Tables.Sum(t => t.RawBytes), plan.Bytes);
        Assert.Equal(plan.Owner, await target.ScalarAsync<string>("SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = 'copy'", cancel: Cancel));
        Assert.Equal("UTF8", plan.Encoding);
        Assert.False(plan.TargetExists);
    }

    [Fact]
    public async Task A_plan_for_chosen_tables_without_owners_counts_only_these_and_names_who_restores()
    {
        await using var source = await postgres.CreateDatabaseAsync("planned");
        await source.ExecuteAsync("CREATE TABLE a (id int); INSERT INTO a SELECT generate_series(1, 10); CREATE TABLE b AS SELECT generate_series(1, 1000) i", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var target = postgres.Unique("empty");
        await source.Server.ExecuteAsync($"CREATE DATABASE {target}", cancel: Cancel);
        var plan = await workshop.PlanRestoreAsync(backup, source.Server.Uri(), target, o => o with { Tables = ["a"], NoOwner = true });
        Assert.Equal((1, 10L, "postgres", true), (plan.Tables, plan.Rows, plan.Owner, plan.TargetExists));
        Assert.Equal($"10 rows of 1 tables (0.0 MB), owner postgres, encoding UTF8, in place of the empty database of that name", plan.ToString());
        await source.Server.DropDatabaseAsync(target, Cancel);
    }

    [Theory]
    [InlineData("notEmpty", "TargetNotEmpty")]
    [InlineData("roles", "RolesMissing")]
    [InlineData("makeRoles", "CreateRolesFailed")]
    [InlineData("mayNot", "CannotCreateDatabase")]
    [InlineData("table", "TableNotFound")]
    [InlineData("tools", "ClientToolsMissing")]
    [InlineData("damaged", "ArchiveDamaged")]
    [InlineData("foreign", "RoleNotGrantable")]
    public async Task What_stands_in_the_way_is_the_same_error_as_of_the_restore(string what, string id)
    {
        var server = await postgres.ServerAsync();
        var owner = postgres.Unique("plan_owner");
        var role = postgres.Unique("plan_role");
        await server.ExecuteAsync($"CREATE ROLE {owner}; CREATE ROLE {role} LOGIN PASSWORD 'x' {(what == "mayNot" ? "" : "CREATEDB")}", cancel: Cancel);
        await using var source = await postgres.CreateDatabaseAsync("planned");
        await source.ExecuteAsync($"CREATE TABLE t (id int); ALTER TABLE t OWNER TO {owner}", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var (uri, target) = (server.Uri(), postgres.Unique("planned_copy"));
        await source.ExecuteAsync($"ALTER TABLE t OWNER TO postgres", Cancel);
        Func<RestoreOptions, RestoreOptions> change = o => o;
        switch (what)
        {
            case "notEmpty":
                target = source.Name;
                break;
            case "roles":
                await server.ExecuteAsync($"DROP ROLE {owner}", cancel: Cancel);
                break;
            case "makeRoles":
                await server.ExecuteAsync($"DROP ROLE {owner}", cancel: Cancel);
                uri = server.Uri("postgres", role, "x");
                change = o => o with { CreateRoles = true };
                break;
            case "mayNot":
                uri = server.Uri("postgres", role, "x");
                change = o => o with { NoOwner = true };
                break;
            case "table":
                change = o => o with { Tables = ["nobody"] };
                break;
            case "tools":
                change = o => o with { ClientToolFolder = "/proc" };
                break;
            case "damaged":
                await using (var archive = await workshop.OpenAsync(backup))
                await using (var file = File.Open(backup.Path, FileMode.Open, FileAccess.Write))
                {
                    file.Position = archive.Member("contents.json.zst").Offset + 20;
                    file.WriteByte(0);
                    file.WriteByte(255);
                }

                break;
            case "foreign":
                uri = server.Uri("postgres", role, "x");
                break;
        }

        var before = (await ServerAsync(server), Files(workshop));
        var planned = await Workshop.RefusedAsync(id, () => workshop.PlanRestoreAsync(backup, uri, target, change));
        Assert.Equal(before, (await ServerAsync(server), Files(workshop)));
        var real = await Workshop.RefusedAsync(id, () => workshop.RestoreAsync(backup, uri, target, change));
        Assert.Equal((real.Message, real.Remedy, real.Kind), (planned.Message, planned.Remedy, planned.Kind));
    }

    private static async Task<string> ServerAsync(PostgresServer server)
        => await server.ScalarAsync<string>("""
            SELECT concat_ws(' ', (SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'molt\_restoring%' OR datname IN ('copy', 'postgres')),
                             (SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'molt%' OR rolname LIKE 'plan_%'))
            """, cancel: Cancel);

    private static string Files(Workshop workshop) => string.Join('\n', Directory.GetFileSystemEntries(workshop.Folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        .Select(f => $"{f} {(File.Exists(f) ? new FileInfo(f).Length : -1)} {File.GetLastWriteTimeUtc(f):O}"));
}
