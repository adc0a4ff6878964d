using System.Diagnostics;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Servers;

public class PostgresServerTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Refuses_a_wrong_password_over_tcp_and_over_the_socket()
    {
        var server = await postgres.ServerAsync();
        foreach (var host in new[] { PostgresServer.Host, server.SocketFolder })
        {
            var builder = new NpgsqlConnectionStringBuilder(server.ConnectionString()) { Host = host };
            await using (var right = new NpgsqlConnection(builder.ConnectionString))
                await right.OpenAsync(Cancel);

            builder.Password = "wrong";
            await using var wrong = new NpgsqlConnection(builder.ConnectionString);
            var e = await Assert.ThrowsAsync<PostgresException>(() => wrong.OpenAsync(Cancel));
            Assert.Equal(PostgresErrorCodes.InvalidPassword, e.SqlState);
        }
    }

    [Fact]
    public async Task Its_uri_is_one_that_stock_tools_take()
    {
        await using var database = await postgres.CreateDatabaseAsync("name with ? & / é");
        var name = await Tool.RunAsync("psql", ["-XAtc", "SELECT current_database() = E'name with ? & / \\u00e9_' || substring(current_database() from '\\d+$')", database.Uri], cancel: Cancel);
        Assert.Equal("t", name.Trim());
    }

    [Fact]
    public async Task Starts_again_on_the_same_port_with_the_same_data()
    {
        await using var server = await PostgresFixture.OrSkipAsync(() => PostgresServer.StartAsync(cancel: Cancel));
        await server.ExecuteAsync("CREATE TABLE t AS SELECT 42 AS answer", cancel: Cancel);
        await server.StopAsync(StopMode.Immediate, Cancel);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => server.ExecuteAsync("SELECT 1", cancel: Cancel));
        await server.StartAgainAsync(Cancel);
        Assert.Equal(42, await server.ScalarAsync<int>("SELECT answer FROM t", cancel: Cancel));
    }

    [Fact]
    public async Task Leaves_no_folder_and_no_process_behind()
    {
        var server = await PostgresFixture.OrSkipAsync(() => PostgresServer.StartAsync(cancel: Cancel));
        var postmaster = int.Parse(File.ReadLines(Path.Combine(server.DataFolder, "postmaster.pid")).First(), System.Globalization.CultureInfo.InvariantCulture);
        Assert.False(Process.GetProcessById(postmaster).HasExited);
        await server.DisposeAsync();
        Assert.False(Directory.Exists(Path.GetDirectoryName(server.DataFolder)));
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(postmaster));
    }

    [Fact]
    public async Task Makes_databases_of_other_encodings()
    {
        await using var latin1 = await postgres.CreateDatabaseAsync(options: new DatabaseOptions { Encoding = "LATIN1" });
        Assert.Equal("LATIN1", await latin1.ScalarAsync<string>("SHOW server_encoding", Cancel));
    }

    [Fact]
    public async Task Makes_many_tables()
    {
        await using var database = await postgres.CreateDatabaseAsync("many");
        await ManyTables.CreateAsync(database, count: 600, cancel: Cancel);
        Assert.Equal(600L, await database.ScalarAsync<long>("SELECT count(*) FROM pg_tables WHERE schemaname = 'many'", Cancel));
        Assert.Equal(3L, await database.ScalarAsync<long>("SELECT count(*) FROM many.t00600", Cancel));
    }
}
