using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Servers;

public class OtherServersTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_standby_replays_and_is_read_only()
    {
        var primary = await postgres.ServerAsync();
        await using var database = await postgres.CreateDatabaseAsync("replayed");
        await using var standby = await PostgresFixture.OrSkipAsync(() => StandbyServer.StartAsync(primary, Cancel));
        await database.ExecuteAsync("CREATE TABLE t AS SELECT 42 AS answer", Cancel);
        await standby.WaitForReplayAsync(Cancel);
        Assert.Equal(42, await standby.Server.ScalarAsync<int>("SELECT answer FROM t", database.Name, Cancel));
        Assert.True(await standby.Server.ScalarAsync<bool>("SELECT pg_is_in_recovery()", cancel: Cancel));

        await standby.PauseReplayAsync(true, Cancel);
        await database.ExecuteAsync("UPDATE t SET answer = 43", Cancel);
        Assert.Equal(42, await standby.Server.ScalarAsync<int>("SELECT answer FROM t", database.Name, Cancel));
    }

    [Theory]
    [InlineData(PoolMode.Transaction, false)]
    [InlineData(PoolMode.Session, true)]
    public async Task Pgbouncer_keeps_a_server_process_for_a_transaction_or_for_a_session(PoolMode mode, bool same)
    {
        var server = await postgres.ServerAsync();
        await using var bouncer = await PostgresFixture.OrSkipAsync(() => PgBouncer.StartAsync(server, mode, cancel: Cancel));
        await using var first = new NpgsqlConnection(bouncer.ConnectionString());
        await using var second = new NpgsqlConnection(bouncer.ConnectionString());
        await first.OpenAsync(Cancel);
        var before = await PidAsync(first);

        // In transaction mode the second client takes the process that the first one has just given back.
        await second.OpenAsync(Cancel);
        await using var transaction = await second.BeginTransactionAsync(Cancel);
        var held = await PidAsync(second);
        Assert.Equal(same, before == await PidAsync(first));
        Assert.Equal(same, before != held);

        var uri = await Tool.RunAsync("psql", ["-XAtc", "SELECT 42", bouncer.Uri()], cancel: Cancel);
        Assert.Equal("42", uri.Trim());

        static async Task<int> PidAsync(NpgsqlConnection connection)
        {
            await using var command = new NpgsqlCommand("SELECT pg_backend_pid()", connection);
            return (int)(await command.ExecuteScalarAsync(Cancel))!;
        }
    }

    [Fact]
    public async Task Postgres_18_runs_with_the_extensions_that_the_tests_use()
    {
        var binaries = await PostgresFixture.OrSkipAsync(Postgres18.BinariesAsync);
        await using var server = await PostgresServer.StartAsync(new PostgresOptions { Binaries = binaries }, Cancel);
        Assert.StartsWith("18.", await server.ScalarAsync<string>("SHOW server_version", cancel: Cancel), StringComparison.Ordinal);
        await server.ExecuteAsync("CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION molt_settings", cancel: Cancel);
    }
}
