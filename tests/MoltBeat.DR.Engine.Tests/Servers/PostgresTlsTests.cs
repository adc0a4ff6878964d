using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Servers;

public class PostgresTlsTests(PostgresTlsTests.TlsServer shared) : IClassFixture<PostgresTlsTests.TlsServer>
{
    [Theory]
    [InlineData(PostgresServer.Superuser, SslMode.Disable, true)]
    [InlineData(PostgresServer.Superuser, SslMode.Require, true)]
    [InlineData(PostgresTls.TlsOnlyRole, SslMode.Require, true)]
    [InlineData(PostgresTls.TlsOnlyRole, SslMode.Disable, false)]
    [InlineData(PostgresTls.PlainOnlyRole, SslMode.Disable, true)]
    [InlineData(PostgresTls.PlainOnlyRole, SslMode.Require, false)]
    public async Task A_role_may_be_bound_to_tls_or_to_none(string role, SslMode mode, bool works)
    {
        var server = await shared.ServerAsync();
        await TryAsync(server, works, b => (b.Username, b.SslMode) = (role, mode));
    }

    [Theory]
    [InlineData("localhost", SslMode.VerifyFull, false, true)]
    [InlineData("127.0.0.1", SslMode.VerifyFull, false, false)]
    [InlineData("127.0.0.1", SslMode.VerifyCA, false, true)]
    [InlineData("127.0.0.1", SslMode.VerifyCA, true, false)]
    public async Task The_servers_certificate_names_localhost_and_has_one_authority(string host, SslMode mode, bool other, bool works)
    {
        var server = await shared.ServerAsync();
        var root = other ? server.Tls!.OtherRootCertificate : server.Tls!.RootCertificate;
        await TryAsync(server, works, b => (b.Host, b.SslMode, b.RootCertificate) = (host, mode, root));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_role_needs_a_client_certificate(bool present)
    {
        var server = await shared.ServerAsync();
        await TryAsync(server, present, b =>
        {
            (b.Username, b.Password, b.SslMode) = (PostgresTls.CertificateRole, null, SslMode.Require);
            if (present)
                (b.SslCertificate, b.SslKey) = (server.Tls!.ClientCertificate, server.Tls.ClientKey);
        });
    }

    [Fact]
    public async Task Libpq_agrees()
    {
        var server = await shared.ServerAsync();
        var tls = server.Tls!;
        var uri = server.Uri(
            user: PostgresTls.CertificateRole, password: "", host: "localhost",
            parameters: $"sslmode=verify-full&sslrootcert={tls.RootCertificate}&sslcert={tls.ClientCertificate}&sslkey={tls.ClientKey}");
        var result = await Tool.RunAsync("psql", ["-XAtc", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", uri], cancel: TestContext.Current.CancellationToken);
        Assert.Equal("t", result.Trim());
    }

    [Fact]
    public async Task Tls_may_be_required_of_everybody_or_offered_to_nobody()
    {
        await using var required = await PostgresFixture.OrSkipAsync(() => PostgresServer.StartAsync(new PostgresOptions { Tls = TlsMode.Required }));
        await TryAsync(required, false, b => b.SslMode = SslMode.Disable);
        await TryAsync(required, true, b => b.SslMode = SslMode.Require);

        var none = await shared.Postgres.ServerAsync();
        await TryAsync(none, false, b => b.SslMode = SslMode.Require);
    }

    private static async Task TryAsync(PostgresServer server, bool works, Action<NpgsqlConnectionStringBuilder> change)
    {
        var builder = new NpgsqlConnectionStringBuilder(server.ConnectionString());
        change(builder);
        await using var connection = new NpgsqlConnection(builder.ConnectionString);
        var e = await Record.ExceptionAsync(() => connection.OpenAsync(TestContext.Current.CancellationToken));
        if (works)
            Assert.Null(e);
        else
            Assert.IsAssignableFrom<NpgsqlException>(e);
    }

    public sealed class TlsServer(PostgresFixture postgres) : IAsyncDisposable
    {
        private readonly Lazy<Task<PostgresServer>> _server = new(() => PostgresServer.StartAsync(new PostgresOptions { Tls = TlsMode.Allowed }));

        public PostgresFixture Postgres => postgres;

        public Task<PostgresServer> ServerAsync() => PostgresFixture.OrSkipAsync(() => _server.Value);

        public async ValueTask DisposeAsync()
        {
            if (_server.IsValueCreated && _server.Value.IsCompletedSuccessfully)
                await (await _server.Value).DisposeAsync();
        }
    }
}
