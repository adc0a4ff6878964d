using System.Text;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

/// <summary>PostgreSQL's own programs on a pinned server.</summary>
public sealed class ChildConnectionTests(PostgresFixture postgres) : IDisposable
{
    private readonly FakeSurroundings _around = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Connect_with_a_password_of_every_odd_character(bool socket)
    {
        PostgresServer server = await postgres.ServerAsync();
        string password = string.Concat(Enumerable.Range(1, 126).Select(c => (char)c)) + "é€🎈 ";
        string role = postgres.Unique("odd 'role' \\");
        await server.ExecuteAsync($"CREATE ROLE {Sql.Identifier(role)} LOGIN PASSWORD {Sql.Literal(password)}", cancel: Cancel);
        await using TestDatabase database = await postgres.CreateDatabaseAsync("odd 'db' \\ = é");
        (NpgsqlConnection connection, PinnedServer pinned) = await ServerConnector.OpenAsync(
            _around.Parse(server.Uri(database.Name, role, password, host: socket ? server.SocketFolder : null)), SessionOptions.Default, Cancel);
        await using (pinned)
        await using (connection)
        {
            ClientTools tools = ClientTools.Find(pinned.Version.Major);
            string said = await ChildProgram.CaptureAsync(tools.Psql, ["-XAt", "-c", "SELECT current_user || '@' || current_database()", "--dbname=" + pinned.ChildDatabase()],
                pinned.ChildEnvironment("test"), null, 1000, Cancel);
            Assert.Equal($"{role}@{database.Name}\n", said);
            string schema = await ChildProgram.CaptureAsync(tools.PgDump, ["--schema-only", "--dbname=" + pinned.ChildDatabase()],
                pinned.ChildEnvironment("test"), null, 1_000_000, Cancel);
            Assert.Contains("PostgreSQL database dump complete", schema, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Show_no_password_on_their_command_line()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Command lines are read from /proc.");
        PostgresServer server = await postgres.ServerAsync();
        (NpgsqlConnection connection, PinnedServer pinned) = await ServerConnector.OpenAsync(
            _around.Parse(server.Uri(parameters: "keepalives_idle=77&application_name=shown")), SessionOptions.Default, Cancel);
        await using (pinned)
        await using (connection)
        {
            await using ChildProgram child = ChildProgram.Start(ClientTools.Find(pinned.Version.Major).Psql,
                ["-XAt", "-c", "SELECT 1", "-c", "SELECT pg_sleep(600)", "--dbname=" + pinned.ChildDatabase()], pinned.ChildEnvironment(), null, redirectInput: false, Cancel);
            using StreamReader output = new(child.Output);
            Assert.Equal("1", await output.ReadLineAsync(Cancel));
            string commandLine = await File.ReadAllTextAsync($"/proc/{child.Id}/cmdline", Cancel);
            Assert.Contains("keepalives_idle=77", commandLine, StringComparison.Ordinal);
            Assert.DoesNotContain("s3cret", commandLine, StringComparison.Ordinal);
            string environment = await File.ReadAllTextAsync($"/proc/{child.Id}/environ", Encoding.UTF8, Cancel);
            Assert.Contains("PGPASSWORD=" + PostgresServer.Password + "\0", environment, StringComparison.Ordinal);
            Assert.Contains("PGAPPNAME=shown\0", environment, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Fail_with_the_servers_own_words()
    {
        PostgresServer server = await postgres.ServerAsync();
        (NpgsqlConnection connection, PinnedServer pinned) = await ServerConnector.OpenAsync(_around.Parse(server.Uri()), SessionOptions.Default, Cancel);
        await using (pinned)
        await using (connection)
        {
            await using PinnedServer nowhere = pinned.WithDatabase("no such database");
            MoltException e = await Assert.ThrowsAsync<MoltException>(() => ChildProgram.CaptureAsync(ClientTools.Find(pinned.Version.Major).PgDump,
                ["--schema-only", "--dbname=" + nowhere.ChildDatabase()], nowhere.ChildEnvironment(), null, 1_000_000, Cancel));
            Assert.Contains("pg_dump failed with exit code 1", e.Message, StringComparison.Ordinal);
            Assert.Contains("no such database", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("s3cret", e.ToString(), StringComparison.Ordinal);
        }
    }

    public void Dispose() => _around.Dispose();
}
