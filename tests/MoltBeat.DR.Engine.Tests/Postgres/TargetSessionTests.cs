using MoltBeat.DR.Engine.Postgres;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

/// <summary>target_session_attrs with a primary and a standby.</summary>
public sealed class TargetSessionTests(TargetSessionTests.Pair pair) : IClassFixture<TargetSessionTests.Pair>, IDisposable
{
    private readonly FakeSurroundings _around = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("any", "ps", 'p')]
    [InlineData("any", "sp", 's')]
    [InlineData("read-write", "sp", 'p')]
    [InlineData("primary", "sp", 'p')]
    [InlineData("read-only", "ps", 's')]
    [InlineData("standby", "ps", 's')]
    [InlineData("prefer-standby", "ps", 's')]
    [InlineData("prefer-standby", "p", 'p')]
    [InlineData("standby", "p", null)]
    [InlineData("read-only", "p", null)]
    [InlineData("primary", "s", null)]
    [InlineData("read-write", "s", null)]
    public async Task Chooses_the_server(string wish, string servers, char? chosen)
    {
        (PostgresServer primary, PostgresServer standby) = await pair.ServersAsync();
        int Port(char server) => server == 'p' ? primary.Port : standby.Port;
        _around["PGPASSWORD"] = PostgresServer.Password;
        ConnectionSettings settings = _around.Parse(
            $"postgresql://postgres@{string.Join(',', servers.Select(server => $"127.0.0.1:{Port(server)}"))}/postgres?target_session_attrs={wish}");
        if (chosen is not { } expected)
        {
            MoltException e = await Assert.ThrowsAsync<MoltException>(() => ServerConnector.OpenAsync(settings, SessionOptions.Default, Cancel));
            Assert.Equal("ServerRoleMismatch", e.Id);
            return;
        }
        (NpgsqlConnection connection, PinnedServer server) = await ServerConnector.OpenAsync(settings, SessionOptions.Default, Cancel);
        await using (server)
        await using (connection)
        {
            Assert.Equal(Port(expected), server.Address.Port);
            string child = await ChildProgram.CaptureAsync(ClientTools.Find(server.Version.Major).Psql,
                ["-XAt", "-c", "SELECT inet_server_port()", "--dbname=" + server.ChildDatabase()], server.ChildEnvironment(), null, 1000, Cancel);
            Assert.Equal($"{Port(expected)}\n", child);
        }
    }

    public void Dispose() => _around.Dispose();

    public sealed class Pair(PostgresFixture postgres) : IAsyncDisposable
    {
        private StandbyServer? _standby;
        private readonly SemaphoreSlim _once = new(1);

        public async Task<(PostgresServer Primary, PostgresServer Standby)> ServersAsync()
        {
            PostgresServer primary = await postgres.ServerAsync();
            await _once.WaitAsync(Cancel);
            try
            {
                _standby ??= await PostgresFixture.OrSkipAsync(() => StandbyServer.StartAsync(primary, Cancel));
                return (primary, _standby.Server);
            }
            finally
            {
                _once.Release();
            }
        }

        public async ValueTask DisposeAsync()
        {
            _once.Dispose();
            if (_standby is not null)
                await _standby.DisposeAsync();
        }
    }
}
