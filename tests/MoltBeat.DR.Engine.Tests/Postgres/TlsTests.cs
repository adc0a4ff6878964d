using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Tests.Servers;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

/// <summary>Every sslmode against servers with and without TLS. Each case is given to psql too: what libpq does is right.</summary>
public sealed class TlsTests(PostgresTlsTests.TlsServer shared, PostgresFixture postgres) : IClassFixture<PostgresTlsTests.TlsServer>, IDisposable
{
    private readonly FakeSurroundings _around = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("disable", false)]
    [InlineData("allow", false)]
    [InlineData("prefer", false)]
    [InlineData("require", null, "TlsRefused")]
    [InlineData("verify-ca", null, "TlsRefused")]
    [InlineData("verify-full", null, "TlsRefused")]
    public async Task A_server_without_tls(string mode, bool? tls, string? error = null)
    {
        PostgresServer server = await postgres.ServerAsync();
        string root = (await shared.ServerAsync()).Tls!.RootCertificate;
        await CheckAsync(server.Uri(host: "localhost", parameters: $"sslmode={mode}&sslrootcert={root}"), tls, error);
    }

    [Theory]
    [InlineData("postgres", "localhost", "disable", "none", false)]
    [InlineData("postgres", "localhost", "allow", "none", false)]
    [InlineData("postgres", "localhost", "prefer", "none", true)]
    [InlineData("postgres", "localhost", "require", "none", true)]
    [InlineData("postgres", "localhost", "verify-ca", "none", null, "TlsFailed")]
    [InlineData("postgres", "localhost", "verify-full", "none", null, "TlsFailed")]
    [InlineData("postgres", "localhost", "prefer", "right", true)]
    [InlineData("postgres", "localhost", "require", "right", true)]
    [InlineData("postgres", "localhost", "verify-ca", "right", true)]
    [InlineData("postgres", "localhost", "verify-full", "right", true)]
    [InlineData("postgres", "127.0.0.1", "require", "right", true)]
    [InlineData("postgres", "127.0.0.1", "verify-ca", "right", true)]
    [InlineData("postgres", "127.0.0.1", "verify-full", "right", null, "TlsFailed")]
    [InlineData("postgres", "localhost", "prefer", "other", false)]
    [InlineData("postgres", "localhost", "require", "other", null, "TlsFailed")]
    [InlineData("postgres", "localhost", "verify-ca", "other", null, "TlsFailed")]
    [InlineData("postgres", "localhost", "verify-full", "other", null, "TlsFailed")]
    [InlineData("tls_only", "localhost", "disable", "none", null, "AuthenticationFailed")]
    [InlineData("tls_only", "localhost", "allow", "none", true)]
    [InlineData("tls_only", "localhost", "prefer", "none", true)]
    [InlineData("tls_only", "localhost", "prefer", "other", null, "TlsFailed")]
    [InlineData("plain_only", "localhost", "allow", "none", false)]
    [InlineData("plain_only", "localhost", "prefer", "none", false)]
    [InlineData("plain_only", "localhost", "require", "none", null, "AuthenticationFailed")]
    public async Task A_server_with_tls(string role, string host, string mode, string root, bool? tls, string? error = null)
    {
        PostgresServer server = await shared.ServerAsync();
        string file = root switch
        {
            "right" => server.Tls!.RootCertificate,
            "other" => server.Tls!.OtherRootCertificate,
            _ => Path.Combine(_around.Home, "none.crt"),
        };
        await CheckAsync(server.Uri(user: role, host: host, parameters: $"sslmode={mode}&sslrootcert={file}"), tls, error);
    }

    [Theory]
    [InlineData("sslcert={crt}&sslkey={key}", true)]
    [InlineData("sslcert={crt}&sslkey={key}&channel_binding=disable", true)]
    [InlineData("sslcert={crt}", null, "TlsFailed")]
    [InlineData("sslkey={key}", null, "AuthenticationFailed")]
    public async Task A_client_certificate(string parameters, bool? tls, string? error = null)
    {
        PostgresServer server = await shared.ServerAsync();
        parameters = parameters.Replace("{crt}", server.Tls!.ClientCertificate, StringComparison.Ordinal).Replace("{key}", server.Tls.ClientKey, StringComparison.Ordinal);
        await CheckAsync(server.Uri(user: PostgresTls.CertificateRole, password: "", parameters: "sslmode=require&" + parameters), tls, error);
    }

    [Theory]
    [InlineData("channel_binding=require", true)]
    [InlineData("ssl_min_protocol_version=TLSv1.3", true)]
    [InlineData("ssl_max_protocol_version=TLSv1.2", true)]
    [InlineData("sslsni=0", true)]
    public async Task Options_of_tls(string parameter, bool tls)
    {
        PostgresServer server = await shared.ServerAsync();
        await CheckAsync(server.Uri(host: "localhost", parameters: $"sslmode=verify-full&sslrootcert={server.Tls!.RootCertificate}&{parameter}"), tls, null);
    }

    [Fact]
    public async Task Files_in_the_settings_folder_are_the_defaults()
    {
        PostgresServer server = await shared.ServerAsync();
        _around.Write(".postgresql/root.crt", await File.ReadAllTextAsync(server.Tls!.RootCertificate, Cancel));
        _around.Write(".postgresql/postgresql.crt", await File.ReadAllTextAsync(server.Tls.ClientCertificate, Cancel));
        _around.Write(".postgresql/postgresql.key", await File.ReadAllTextAsync(server.Tls.ClientKey, Cancel));
        Assert.True(await UsesTlsAsync(server.Uri(user: PostgresTls.CertificateRole, password: "", host: "localhost", parameters: "sslmode=verify-full")));
        _around.Write(".postgresql/root.crt", await File.ReadAllTextAsync(server.Tls.OtherRootCertificate, Cancel));
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => UsesTlsAsync(server.Uri(host: "localhost", parameters: "sslmode=require")));
        Assert.Equal("TlsFailed", e.Id);
        Assert.Contains("root.crt", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_private_authority_is_not_among_the_systems()
    {
        PostgresServer server = await shared.ServerAsync();
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => UsesTlsAsync(server.Uri(host: "localhost", parameters: "sslrootcert=system")));
        Assert.Equal("TlsFailed", e.Id);
        Assert.Contains("the system's store", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_for_another_host_is_named_as_such()
    {
        PostgresServer server = await shared.ServerAsync();
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => UsesTlsAsync(server.Uri(parameters: $"sslmode=verify-full&sslrootcert={server.Tls!.RootCertificate}")));
        Assert.Contains("not for the host \"127.0.0.1\"", e.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _around.Dispose();

    private async Task CheckAsync(string uri, bool? tls, string? error)
    {
        bool? libpq = null;
        try
        {
            // A home of its own: libpq of 15 takes certificates from the account's, whatever HOME says.
            libpq = await Tool.RunAsync("psql", ["-XAtc", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", uri],
                new Dictionary<string, string> { ["HOME"] = _around.Home }, cancel: Cancel) == "t\n";
        }
        catch (TestServerException)
        {
            // It was refused.
        }
        Assert.Equal(tls, libpq);

        if (error is null)
        {
            Assert.Equal(tls, await UsesTlsAsync(uri));
            return;
        }
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => UsesTlsAsync(uri));
        Assert.Equal(error, e.Id);
        Assert.DoesNotContain(PostgresServer.Password, e.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Whether our session has TLS, and a psql child of the pinned server too.</summary>
    private async Task<bool> UsesTlsAsync(string uri)
    {
        const string sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        (NpgsqlConnection connection, PinnedServer server) = await ServerConnector.OpenAsync(_around.Parse(uri), SessionOptions.Default, Cancel);
        await using (server)
        await using (connection)
        {
            await using NpgsqlCommand command = new(sql, connection);
            bool ours = (bool)(await command.ExecuteScalarAsync(Cancel))!;
            string child = await ChildProgram.CaptureAsync(ClientTools.Find(server.Version.Major).Psql,
                ["-XAt", "-c", sql, "--dbname=" + server.ChildDatabase()], server.ChildEnvironment(), null, 1000, Cancel);
            Assert.Equal(ours ? "t\n" : "f\n", child);
            Assert.Equal(ours, server.UsesTls);
            return ours;
        }
    }
}
