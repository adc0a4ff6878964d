using System.Net;
using System.Net.Sockets;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

public sealed class ServerConnectorTests(PostgresFixture postgres) : IDisposable
{
    private readonly FakeSurroundings _around = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connects_over_tcp_and_over_the_socket()
    {
        PostgresServer server = await postgres.ServerAsync();
        Assert.Equal(server.Port, await AskAsync<int>(server.Uri(), "SELECT inet_server_port()"));
        Assert.Equal(server.Port, await AskAsync<int>(server.Uri(host: "localhost"), "SELECT inet_server_port()"));
        Assert.True(await AskAsync<bool>(server.Uri(host: server.SocketFolder), "SELECT inet_server_port() IS NULL"));
        // TLS is for the network: libpq leaves it out on a socket, whatever sslmode says.
        Assert.True(await AskAsync<bool>(server.Uri(host: server.SocketFolder, parameters: "sslmode=require"), "SELECT inet_server_port() IS NULL"));
    }

    [Fact]
    public async Task Takes_the_password_from_the_password_file()
    {
        PostgresServer server = await postgres.ServerAsync();
        string escaped = PostgresServer.Password.Replace("\\", "\\\\", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal);
        _around.Write(".pgpass", $"{PostgresServer.Host}:{server.Port}:*:postgres:{escaped}\n");
        Assert.Equal(1, await AskAsync<int>(server.Uri(password: ""), "SELECT 1"));
    }

    [Fact]
    public async Task A_role_and_a_database_of_any_name_connect()
    {
        PostgresServer server = await postgres.ServerAsync();
        await using TestDatabase database = await postgres.CreateDatabaseAsync("a;b='\"c\\ %é\n");
        string role = postgres.Unique(" r;o'l\"e=\\é ");
        const string password = " ;'\"=\\%40\n\tü€#🎈 ";
        await server.ExecuteAsync($"CREATE ROLE {Sql.Identifier(role)} LOGIN PASSWORD {Sql.Literal(password)}", cancel: Cancel);
        string uri = server.Uri(database.Name, role, password);
        Assert.Equal($"{role}@{database.Name}", await AskAsync<string>(uri, "SELECT current_user || '@' || current_database()"));
    }

    [Fact]
    public async Task Plain_types_work_without_loading_the_type_catalog()
    {
        (NpgsqlConnection connection, PinnedServer server) = await OpenAsync((await postgres.ServerAsync()).Uri());
        await using (server)
        await using (connection)
        {
            await using NpgsqlCommand command = new("SELECT $1, $2, $3, $4, $5, $6, $7, NULL::text, 'x'::name, 1.5::float8, '2020-01-01Z'::timestamptz", connection)
            {
                Parameters =
                {
                    new() { Value = 1 }, new() { Value = 2L }, new() { Value = "t" }, new() { Value = true },
                    new() { Value = 4u, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Oid }, new() { Value = new[] { "a", "b" } }, new() { Value = new byte[] { 1, 2 } },
                },
            };
            await using NpgsqlDataReader row = await command.ExecuteReaderAsync(Cancel);
            Assert.True(await row.ReadAsync(Cancel));
            Assert.Equal((1, 2L, "t", true, 4u), (row.GetInt32(0), row.GetInt64(1), row.GetString(2), row.GetBoolean(3), row.GetFieldValue<uint>(4)));
            Assert.Equal(["a", "b"], row.GetFieldValue<string[]>(5));
            Assert.Equal([1, 2], row.GetFieldValue<byte[]>(6));
            Assert.True(row.IsDBNull(7));
            Assert.Equal("x", row.GetString(8));
        }
    }

    [Fact]
    public async Task Says_that_the_password_is_wrong_and_not_what_it_was()
    {
        PostgresServer server = await postgres.ServerAsync();
        MoltException e = await FailAsync(server.Uri(password: "hunter2-é"), "AuthenticationFailed", ErrorKind.AuthenticationFailed);
        Assert.Contains("28P01", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", e.ToString() + e.Remedy + e.TargetObject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Says_that_a_password_is_missing()
    {
        MoltException e = await FailAsync((await postgres.ServerAsync()).Uri(password: ""), "AuthenticationFailed", ErrorKind.AuthenticationFailed);
        Assert.Contains("there is none", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Says_that_the_database_is_missing()
    {
        MoltException e = await FailAsync((await postgres.ServerAsync()).Uri("no such database"), "DatabaseNotFound", ErrorKind.NotFound);
        Assert.Contains("no such database", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Says_that_there_are_too_many_connections()
    {
        PostgresServer server = await postgres.ServerAsync();
        string role = postgres.Unique("limited");
        await server.ExecuteAsync($"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0 PASSWORD 'pw'", cancel: Cancel);
        await FailAsync(server.Uri(user: role, password: "pw"), "TooManyConnections", ErrorKind.Busy);
    }

    [Fact]
    public async Task Says_that_the_role_may_not_connect()
    {
        PostgresServer server = await postgres.ServerAsync();
        await using TestDatabase database = await postgres.CreateDatabaseAsync("closed");
        string role = postgres.Unique("outsider");
        await server.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD 'pw'; REVOKE CONNECT ON DATABASE {Sql.Identifier(database.Name)} FROM PUBLIC", cancel: Cancel);
        await FailAsync(server.Uri(database.Name, role, "pw"), "ConnectDenied", ErrorKind.PermissionDenied);
    }

    [Fact]
    public async Task Names_each_server_that_could_not_be_reached_with_the_reason()
    {
        int port = UnusedPort();
        MoltException e = await FailAsync($"postgresql://127.0.0.1:{port},nowhere.invalid,%2Fnowhere/d?connect_timeout=10", "ServerUnreachable", ErrorKind.ConnectionFailed);
        Assert.Contains($"127.0.0.1:{port}: connection refused", e.Message, StringComparison.Ordinal);
        Assert.Contains("nowhere.invalid:5432: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("/nowhere/.s.PGSQL.5432: no server listens there", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gives_up_on_a_server_that_never_answers()
    {
        using TcpListener silent = new(IPAddress.Loopback, 0);
        silent.Start();
        int port = ((IPEndPoint)silent.LocalEndpoint).Port;
        MoltException e = await FailAsync($"host=127.0.0.1 port={port} connect_timeout=2", "ServerUnreachable", ErrorKind.ConnectionFailed);
        Assert.Contains("no answer within 2 s", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gives_up_on_a_server_that_falls_silent_in_the_tls_handshake()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task<TcpClient> answering = AnswerAsync(listener);
        MoltException e = await FailAsync($"host=127.0.0.1 port={((IPEndPoint)listener.LocalEndpoint).Port} sslmode=require connect_timeout=2", "ServerUnreachable", ErrorKind.ConnectionFailed);
        Assert.Contains("no answer within 2 s", e.Message, StringComparison.Ordinal);
        (await answering).Dispose();

        static async Task<TcpClient> AnswerAsync(TcpListener listener)
        {
            TcpClient client = await listener.AcceptTcpClientAsync(Cancel);
            await client.GetStream().ReadExactlyAsync(new byte[8], Cancel);
            await client.GetStream().WriteAsync("S"u8.ToArray(), Cancel);
            return client;
        }
    }

    [Fact]
    public async Task Stops_connecting_when_cancelled()
    {
        using TcpListener silent = new(IPAddress.Loopback, 0);
        silent.Start();
        using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(200));
        ConnectionSettings settings = _around.Parse($"host=127.0.0.1 port={((IPEndPoint)silent.LocalEndpoint).Port}");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ServerConnector.OpenAsync(settings, SessionOptions.Default, stop.Token));
    }

    [Fact]
    public async Task Goes_on_to_the_next_server_and_stays_with_it()
    {
        PostgresServer live = await postgres.ServerAsync();
        string uri = live.Uri().Replace("@127.0.0.1:", $"@127.0.0.1:{UnusedPort()},localhost:", StringComparison.Ordinal);
        (NpgsqlConnection connection, PinnedServer server) = await OpenAsync(uri);
        await using (server)
        await using (connection)
        {
            Assert.Equal((live.Port, "localhost"), (server.Address.Port, server.Address.Host));
            Assert.Equal("127.0.0.1", server.Address.Address);
            Assert.Equal(15, server.Version.Major);
            await using NpgsqlConnection second = await server.OpenAsync(new SessionOptions("reader", 65536), Cancel);
            Assert.Equal("MoltBeat.DR reader", await ScalarAsync<string>(second, "SHOW application_name"));
            await using TestDatabase other = await postgres.CreateDatabaseAsync("other");
            await using PinnedServer there = server.WithDatabase(other.Name);
            await using NpgsqlConnection third = await there.OpenAsync(SessionOptions.Default, Cancel);
            Assert.Equal(other.Name, await ScalarAsync<string>(third, "SELECT current_database()"));
        }
    }

    [Fact]
    public async Task A_wrong_password_on_the_first_server_is_not_tried_on_the_second()
    {
        PostgresServer live = await postgres.ServerAsync();
        string uri = live.Uri(password: "wrong").Replace("@127.0.0.1:", $"@127.0.0.1:{live.Port},127.0.0.1:", StringComparison.Ordinal);
        await FailAsync(uri, "AuthenticationFailed", ErrorKind.AuthenticationFailed);
    }

    [Theory]
    [InlineData("require_auth=scram-sha-256", true)]
    [InlineData("require_auth=!password,!md5", true)]
    [InlineData("require_auth=md5,password", false)]
    [InlineData("require_auth=none", false)]
    [InlineData("channel_binding=require", false)]
    [InlineData("channel_binding=disable", true)]
    [InlineData("options=-c%20search_path%3Dpg_catalog", true)]
    [InlineData("keepalives=0", true)]
    [InlineData("keepalives_idle=30&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=1000", true)]
    [InlineData("gssencmode=prefer", true)]
    [InlineData("load_balance_hosts=random", true)]
    [InlineData("client_encoding=LATIN1", true)]
    public async Task Options_do_what_they_do_in_libpq(string parameter, bool connects)
    {
        PostgresServer server = await postgres.ServerAsync();
        if (connects)
            Assert.Equal(1, await AskAsync<int>(server.Uri(parameters: parameter), "SELECT 1"));
        else
            await FailAsync(server.Uri(parameters: parameter), "AuthenticationFailed", ErrorKind.AuthenticationFailed);
    }

    [Fact]
    public async Task Connects_through_pgbouncer()
    {
        PostgresServer server = await postgres.ServerAsync();
        await using PgBouncer bouncer = await PostgresFixture.OrSkipAsync(() => PgBouncer.StartAsync(server, PoolMode.Session, cancel: Cancel));
        Assert.Equal(server.Port, await AskAsync<int>(bouncer.Uri(), "SELECT inet_server_port()"));
        // As installed, pgbouncer takes no start-up options: none may be sent unasked.
        MoltException e = await FailAsync(bouncer.Uri(parameters: "options=-c%20work_mem%3D7MB"), "ConnectionRefused", ErrorKind.ConnectionFailed);
        Assert.Contains("options", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_reach_the_session()
    {
        PostgresServer server = await postgres.ServerAsync();
        Assert.Equal("7MB", await AskAsync<string>(server.Uri(parameters: "options=-c%20work_mem%3D7MB"), "SHOW work_mem"));
        Assert.Equal("mine", await AskAsync<string>(server.Uri(parameters: "application_name=mine"), "SHOW application_name"));
        Assert.Equal("MoltBeat.DR", await AskAsync<string>(server.Uri(), "SHOW application_name"));
    }

    public void Dispose() => _around.Dispose();

    private static int UnusedPort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<T> ScalarAsync<T>(NpgsqlConnection connection, string sql)
    {
        await using NpgsqlCommand command = new(sql, connection);
        return (T)(await command.ExecuteScalarAsync(Cancel))!;
    }

    private Task<(NpgsqlConnection Connection, PinnedServer Server)> OpenAsync(string conninfo) =>
        ServerConnector.OpenAsync(_around.Parse(conninfo), SessionOptions.Default, Cancel);

    private async Task<T> AskAsync<T>(string conninfo, string sql)
    {
        (NpgsqlConnection connection, PinnedServer server) = await OpenAsync(conninfo);
        await using (server)
        await using (connection)
            return await ScalarAsync<T>(connection, sql);
    }

    private async Task<MoltException> FailAsync(string conninfo, string id, ErrorKind kind)
    {
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => OpenAsync(conninfo));
        Assert.Equal((id, kind), (e.Id, e.Kind));
        Assert.NotNull(e.Remedy);
        return e;
    }
}
