using System.Reflection;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Security;

/// <summary>The roles of samples/security, made by those very files: each right is needed, and no other.</summary>
public sealed class DatabaseRoleTests(PostgresFixture postgres) : IDisposable
{
    private const string Password = "a role's password";

    private readonly Workshop _workshop = new();
    private readonly List<(PostgresServer Server, string Role, string Database)> _roles = [];

    private static string Samples { get; } = Path.Combine(
        typeof(DatabaseRoleTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "EngineSource").Value!, "..", "..", "samples", "security");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _workshop.Dispose();

    [Fact]
    public async Task The_backup_role_backs_up_a_database_with_everything_and_can_do_no_harm()
    {
        await using var source = await postgres.CreateEverythingAsync();
        var role = await MakeAsync("backup-role.sql", source.Server, source.Name);
        var uri = source.Server.Uri(source.Name, role, Password);
        var backup = await _workshop.BackupAsync(uri);
        await _workshop.VerifyAsync(backup);
        var target = postgres.Unique("copy");
        var result = await _workshop.RestoreAsync(backup, source.Server, target);
        Assert.Equal(ProofStatus.Proven, result.Proof);
        await Likeness.AssertRowsAsync(source, source.Server, target);
        await source.Server.DropDatabaseAsync(target, Cancel);

        await using var session = await source.Server.OpenAsync(source.Name, role, Password, Cancel);
        foreach (var harm in new[] { "CREATE TABLE public.harm ()", "DELETE FROM pg_catalog.pg_class", "CREATE ROLE harm", "CREATE DATABASE harm", "SELECT pg_read_file('/etc/passwd')", "SELECT lo_put(70001, 0, 'x')", "SELECT lo_unlink(70001)" })
        {
            await using var command = session.CreateCommand();
            command.CommandText = harm;
            Assert.Equal(Npgsql.PostgresErrorCodes.InsufficientPrivilege, (await Assert.ThrowsAsync<Npgsql.PostgresException>(() => command.ExecuteNonQueryAsync(Cancel))).SqlState);
        }

        await DropAsync();
    }

    [Theory]
    [InlineData("REVOKE pg_read_all_data FROM {0}", "TableNotReadable")]
    [InlineData("ALTER ROLE {0} NOBYPASSRLS", "RowsHidden")]
    [InlineData("ALTER ROLE {0} NOLOGIN", "AuthenticationFailed")]
    [InlineData("REVOKE SELECT ON LARGE OBJECT 70003 FROM {0}", "ChildProgramFailed")]
    [InlineData("REVOKE CONNECT ON DATABASE {1} FROM PUBLIC; REVOKE CONNECT ON DATABASE {1} FROM {0}", "ConnectDenied")]
    public async Task Each_right_of_the_backup_role_is_missed_with_an_error_that_names_it(string without, string id)
    {
        await using var source = await postgres.CreateEverythingAsync();
        var role = await MakeAsync("backup-role.sql", source.Server, source.Name);
        await source.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, without, role, Sql.Identifier(source.Name)), Cancel);
        var e = await Workshop.RefusedAsync(id, () => _workshop.BackupAsync(source.Server.Uri(source.Name, role, Password)));
        Assert.DoesNotContain(Password, e.ToString(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_workshop.Folder));

        // The file mends what was taken away.
        await source.ExecuteAsync($"ALTER ROLE {role} LOGIN", Cancel);
        await RunAsync("backup-role.sql", source.Server, source.Name, role);
        await _workshop.BackupAsync(source.Server.Uri(source.Name, role, Password));
        await DropAsync();
    }

    [Fact]
    public async Task The_restore_role_restores_an_applications_database_with_its_owner()
    {
        var (source, owner) = await OwnedAsync();
        await using var _ = source;
        var role = await MakeAsync("restore-role.sql", source.Server, "postgres", owner);
        var backup = await _workshop.BackupAsync(source);
        var target = postgres.Unique("copy");
        var uri = source.Server.Uri("postgres", role, Password);
        var result = await _workshop.RestoreAsync(backup, uri, target);
        Assert.Equal(ProofStatus.Proven, result.Proof);
        Assert.Equal(owner, await source.Server.ScalarAsync<string>("SELECT tableowner::text FROM pg_tables WHERE tablename = 'users'", target, Cancel));
        await source.Server.DropDatabaseAsync(target, Cancel);

        await source.Server.ExecuteAsync($"REVOKE {owner} FROM {role}", cancel: Cancel);
        await Workshop.RefusedAsync("RoleNotGrantable", () => _workshop.RestoreAsync(backup, uri, target));
        await _workshop.RestoreAsync(backup, uri, target, o => o with { NoOwner = true });
        await source.Server.DropDatabaseAsync(target, Cancel);

        await source.Server.ExecuteAsync($"ALTER ROLE {role} NOCREATEDB", cancel: Cancel);
        await Workshop.RefusedAsync("CannotCreateDatabase", () => _workshop.RestoreAsync(backup, uri, target));
        await source.DisposeAsync();
        await DropAsync();
    }

    private async Task<(TestDatabase Source, string Owner)> OwnedAsync()
    {
        var server = await postgres.ServerAsync();
        var owner = postgres.Unique("application");
        await server.ExecuteAsync($"CREATE ROLE {owner} LOGIN", cancel: Cancel);
        var source = await server.CreateDatabaseAsync(postgres.Unique("owned"), new DatabaseOptions { Owner = owner }, Cancel);
        await source.ExecuteAsync($"""
            SET ROLE {owner};
            CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE);
            INSERT INTO users SELECT i, 'user' || i || '@example.org' FROM generate_series(1, 100) i;
            CREATE TABLE sessions (id bigserial PRIMARY KEY, user_id int REFERENCES users);
            CREATE VIEW everybody AS SELECT email FROM users;
            CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
            """, Cancel);
        _roles.Add((server, owner, source.Name));
        return (source, owner);
    }

    private async Task<string> MakeAsync(string file, PostgresServer server, string database, string? owners = null)
    {
        var role = postgres.Unique("least");
        await RunAsync(file, server, database, role, owners);
        await server.ExecuteAsync($"ALTER ROLE {role} PASSWORD {Sql.Literal(Password)}", cancel: Cancel);
        _roles.Add((server, role, database));
        return role;
    }

    private static Task RunAsync(string file, PostgresServer server, string database, string role, string? owners = null)
        => Tool.RunAsync("psql", ["--no-psqlrc", "--quiet", "-d", database, "-v", "role=" + role, .. owners is null ? Array.Empty<string>() : ["-v", "owners=" + owners], "-f", Path.Combine(Samples, file)], server.ToolEnvironment, Cancel);

    private async Task DropAsync()
    {
        foreach (var (server, role, database) in Enumerable.Reverse(_roles))
        {
            if (await server.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM pg_database WHERE datname = {Sql.Literal(database)})", cancel: Cancel))
            {
                await server.ExecuteAsync($"DROP OWNED BY {role}", database, Cancel);
            }

            await server.ExecuteAsync($"DROP OWNED BY {role}; DROP ROLE {role}", cancel: Cancel);
        }
    }
}
