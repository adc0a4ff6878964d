using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;

namespace MoltBeat.TestServers;

/// <summary>How a server is stopped.</summary>
public enum StopMode
{
    /// <summary>Cuts connections and shuts down cleanly.</summary>
    Fast,

    /// <summary>Cuts connections and leaves recovery to the next start.</summary>
    Immediate,
}

/// <summary>
/// A throwaway PostgreSQL cluster on the loopback interface and on a unix socket, gone with this object or with this process.
/// Everybody needs a password, also over the socket.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    /// <summary>The superuser.</summary>
    public const string Superuser = "postgres";

    /// <summary>The superuser's password: with characters that a URI must encode and that pgpass must escape.</summary>
    public const string Password = @"s3cret: /@%?\é";

    public const string Host = "127.0.0.1";

    private static readonly TimeSpan s_startTimeout = TimeSpan.FromSeconds(60);

    private readonly ServerFolder _folder;
    private readonly string _program;
    private readonly bool _requiresTls;
    private GuardedProcess? _process;

    private PostgresServer(ServerFolder folder, string program, PostgresTls? tls, bool requiresTls)
    {
        _folder = folder;
        _program = program;
        _requiresTls = requiresTls;
        Tls = tls;
    }

    public int Port { get; private set; }

    /// <summary>The folder of the unix socket, to be given as a host.</summary>
    public string SocketFolder => _folder["s"];

    /// <summary>The cluster's files.</summary>
    public string DataFolder => _folder["data"];

    /// <summary>Certificates, when the server has TLS.</summary>
    public PostgresTls? Tls { get; }

    /// <summary>What the server has logged.</summary>
    public string Log => _process?.Log ?? "";

    /// <summary>Databases that were loaded once to be copied.</summary>
    internal ConcurrentDictionary<string, Lazy<Task>> Templates { get; } = new();

    /// <summary>Makes a cluster and starts it.</summary>
    /// <exception cref="TestServerMissingException">No server is installed.</exception>
    public static async Task<PostgresServer> StartAsync(PostgresOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new PostgresOptions();
        var binaries = options.Binaries ?? PostgresBinaries.Find();
        var folder = ServerFolder.Create();
        PostgresServer? server = null;
        try
        {
            var tls = options.Tls == TlsMode.Off ? null : await PostgresTls.CreateAsync(folder["tls"], cancel).ConfigureAwait(false);
            server = await PrepareAsync(folder, binaries, tls, options.Tls == TlsMode.Required, cancel).ConfigureAwait(false);
            await server.InitialiseAsync(binaries, options, cancel).ConfigureAwait(false);
            await server.StartOnAFreePortAsync(cancel).ConfigureAwait(false);
            if (tls is not null)
            {
                await server.ExecuteAsync(
                    $"""
                    CREATE ROLE {PostgresTls.TlsOnlyRole} LOGIN PASSWORD {Sql.Literal(Password)};
                    CREATE ROLE {PostgresTls.PlainOnlyRole} LOGIN PASSWORD {Sql.Literal(Password)};
                    CREATE ROLE {PostgresTls.CertificateRole} LOGIN;
                    """,
                    cancel: cancel).ConfigureAwait(false);
            }

            return server;
        }
        catch
        {
            await (server?.DisposeAsync() ?? DisposeAsync(folder)).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Starts a hot standby of <paramref name="primary"/> from a base backup of it.</summary>
    internal static async Task<PostgresServer> StartStandbyAsync(PostgresServer primary, PostgresBinaries binaries, CancellationToken cancel)
    {
        var folder = ServerFolder.Create();
        PostgresServer? server = null;
        try
        {
            server = await PrepareAsync(folder, binaries, primary.Tls, primary._requiresTls, cancel).ConfigureAwait(false);
            var connection = $"postgresql://{Superuser}@{Host}:{primary.Port}/?sslmode={(primary._requiresTls ? "require" : "prefer")}";
            await RunAsServerAsync(
                folder,
                [
                    Tool.Find("pg_basebackup") ?? throw new TestServerMissingException("pg_basebackup is not installed."),
                    "--pgdata", server.DataFolder, "--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--dbname", connection,
                ],
                cancel).ConfigureAwait(false);
            await server.StartOnAFreePortAsync(cancel).ConfigureAwait(false);
            return server;
        }
        catch
        {
            await (server?.DisposeAsync() ?? DisposeAsync(folder)).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A connection in URI form.</summary>
    /// <param name="database">The database.</param>
    /// <param name="user">The role; the superuser when null.</param>
    /// <param name="password">Its password; the superuser's when null, none when empty.</param>
    /// <param name="parameters">The query, such as <c>sslmode=require</c>.</param>
    /// <param name="host">Host name, address or socket folder; the loopback address when null.</param>
    public string Uri(string database = "postgres", string? user = null, string? password = null, string? parameters = null, string? host = null) =>
        Uri(Port, database, user, password, parameters, host);

    /// <summary>A connection in Npgsql's form, without a pool: an idle connection would keep a database from being dropped.</summary>
    public string ConnectionString(string database = "postgres", string? user = null, string? password = null) =>
        new NpgsqlConnectionStringBuilder
        {
            Host = Host,
            Port = Port,
            Database = database,
            Username = user ?? Superuser,
            Password = password ?? Password,
            Pooling = false,
            SslMode = _requiresTls ? SslMode.Require : SslMode.Prefer,
            // Loading and dropping big databases on a busy machine takes a while.
            CommandTimeout = 300,
            IncludeErrorDetail = true,
        }.ConnectionString;

    /// <summary>What stock tools need beside <c>--dbname</c> with a database's name: PGHOST, PGPORT, PGUSER, PGPASSWORD.</summary>
    public IReadOnlyDictionary<string, string> ToolEnvironment => new Dictionary<string, string>
    {
        ["PGHOST"] = Host,
        ["PGPORT"] = $"{Port}",
        ["PGUSER"] = Superuser,
        ["PGPASSWORD"] = Password,
        ["PGSSLMODE"] = _requiresTls ? "require" : "prefer",
    };

    /// <summary>An open connection.</summary>
    public async Task<NpgsqlConnection> OpenAsync(
        string database = "postgres", string? user = null, string? password = null, CancellationToken cancel = default)
    {
        var connection = new NpgsqlConnection(ConnectionString(database, user, password));
        try
        {
            await connection.OpenAsync(cancel).ConfigureAwait(false);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Runs SQL as the superuser, several statements if need be.</summary>
    public async Task ExecuteAsync(string sql, string database = "postgres", CancellationToken cancel = default)
    {
        await using var connection = await OpenAsync(database, cancel: cancel).ConfigureAwait(false);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancel).ConfigureAwait(false);
    }

    /// <summary>The first column of the first row, read as the superuser.</summary>
    public async Task<T> ScalarAsync<T>(string sql, string database = "postgres", CancellationToken cancel = default)
    {
        await using var connection = await OpenAsync(database, cancel: cancel).ConfigureAwait(false);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(cancel).ConfigureAwait(false))!;
    }

    /// <summary>Makes an empty database.</summary>
    public async Task<TestDatabase> CreateDatabaseAsync(string name, DatabaseOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new DatabaseOptions();
        var sql = $"CREATE DATABASE {Sql.Identifier(name)} TEMPLATE {Sql.Identifier(options.Template ?? "template0")}";
        if (options.Template is not null)
            // Instead of writing all of it to the WAL.
            sql += " STRATEGY file_copy";
        if (options.Encoding is { } encoding)
            sql += $" ENCODING {Sql.Literal(encoding)} LOCALE {Sql.Literal(encoding == "UTF8" ? "C.UTF-8" : "C")}";
        if (options.Owner is { } owner)
            sql += $" OWNER {Sql.Identifier(owner)}";
        await ExecuteAsync(sql, cancel: cancel).ConfigureAwait(false);
        return new TestDatabase(this, name);
    }

    /// <summary>Drops a database if it is there, and cuts its connections.</summary>
    public Task DropDatabaseAsync(string name, CancellationToken cancel = default) =>
        ExecuteAsync($"DROP DATABASE IF EXISTS {Sql.Identifier(name)} WITH (FORCE)", cancel: cancel);

    /// <summary>Stops the server and waits; <see cref="StartAgainAsync"/> starts it on the same port.</summary>
    public async Task StopAsync(StopMode mode = StopMode.Fast, CancellationToken cancel = default)
    {
        if (_process is not { } process)
            return;
        await process.SignalAsync(mode == StopMode.Fast ? "INT" : "QUIT", cancel).ConfigureAwait(false);
        await process.WaitForExitAsync(cancel).ConfigureAwait(false);
        await process.DisposeAsync().ConfigureAwait(false);
        _process = null;
    }

    /// <summary>Starts the server again after <see cref="StopAsync"/>.</summary>
    public async Task StartAgainAsync(CancellationToken cancel = default)
    {
        if (!await TryStartAsync(cancel).ConfigureAwait(false))
            throw new TestServerException($"Port {Port} was taken meanwhile.");
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
            await process.DisposeAsync().ConfigureAwait(false);
        _process = null;
        await DisposeAsync(_folder).ConfigureAwait(false);
    }

    internal static string Uri(int port, string database, string? user, string? password, string? parameters, string? host)
    {
        password = password is "" ? "" : ":" + System.Uri.EscapeDataString(password ?? Password);
        return $"postgresql://{System.Uri.EscapeDataString(user ?? Superuser)}{password}@{System.Uri.EscapeDataString(host ?? Host)}:{port}"
            + $"/{System.Uri.EscapeDataString(database)}{(parameters is null ? "" : "?" + parameters)}";
    }

    private static ValueTask DisposeAsync(ServerFolder folder)
    {
        folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async Task<PostgresServer> PrepareAsync(
        ServerFolder folder, PostgresBinaries binaries, PostgresTls? tls, bool requiresTls, CancellationToken cancel)
    {
        foreach (var name in new[] { "s", "data", "home" })
        {
            Directory.CreateDirectory(folder[name]);
            await ServiceUser.GiveAsync(folder[name], cancel).ConfigureAwait(false);
        }

        File.SetUnixFileMode(folder["data"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var program = binaries.CopyWithExtension(folder["pg"], TestFiles.Path("extension"));
        return new PostgresServer(folder, program, tls, requiresTls);
    }

    private static async Task RunAsServerAsync(ServerFolder folder, string[] command, CancellationToken cancel)
    {
        var full = ServiceUser.Command(command);
        await Tool.RunAsync(
            full[0], full[1..], new Dictionary<string, string> { ["HOME"] = folder["home"], ["PGPASSWORD"] = Password }, cancel).ConfigureAwait(false);
    }

    private async Task InitialiseAsync(PostgresBinaries binaries, PostgresOptions options, CancellationToken cancel)
    {
        var passwordFile = _folder["password"];
        await File.WriteAllTextAsync(passwordFile, Password, cancel).ConfigureAwait(false);
        await RunAsServerAsync(
            _folder,
            [
                Path.Combine(binaries.BinFolder, "initdb"), "--pgdata", DataFolder, "--no-sync", "--no-instructions",
                "--username", Superuser, "--pwfile", passwordFile, "--auth", "scram-sha-256",
                "--encoding", options.Encoding, "--locale", options.Locale,
            ],
            cancel).ConfigureAwait(false);

        var tls = Tls is null
            ? ""
            : $"ssl = on\nssl_ca_file = '{Tls.RootCertificate}'\nssl_cert_file = '{Tls.ServerCertificate}'\nssl_key_file = '{Tls.ServerKey}'\n";
        await File.AppendAllTextAsync(
            Path.Combine(DataFolder, "postgresql.conf"),
            $"""

            # A throwaway cluster need not survive a crash of the machine. (A crash of the server it does: writes reach the kernel.)
            fsync = off
            full_page_writes = off
            listen_addresses = '{Host}'
            wal_level = replica
            max_wal_senders = 10
            max_wal_size = 2GB
            log_line_prefix = '%m [%p] %q%u@%d '
            lc_messages = 'C'
            timezone = 'UTC'
            {tls}{string.Join('\n', options.Configuration)}

            """,
            cancel).ConfigureAwait(false);

        string[] tcp = options.Tls switch
        {
            TlsMode.Off => ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"],
            TlsMode.Required => [.. CertificateLines, "hostssl all all 127.0.0.1/32 scram-sha-256", "hostssl replication all 127.0.0.1/32 scram-sha-256"],
            _ =>
            [
                .. CertificateLines,
                $"hostnossl all {PostgresTls.PlainOnlyRole} 127.0.0.1/32 scram-sha-256", $"host all {PostgresTls.PlainOnlyRole} 127.0.0.1/32 reject",
                $"hostssl all {PostgresTls.TlsOnlyRole} 127.0.0.1/32 scram-sha-256", $"host all {PostgresTls.TlsOnlyRole} 127.0.0.1/32 reject",
                "host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256",
            ],
        };
        await File.WriteAllLinesAsync(
            Path.Combine(DataFolder, "pg_hba.conf"),
            [.. options.HostBasedAuthentication, "local all all scram-sha-256", .. tcp],
            cancel).ConfigureAwait(false);
    }

    private static string[] CertificateLines =>
        [$"hostssl all {PostgresTls.CertificateRole} 127.0.0.1/32 cert", $"host all {PostgresTls.CertificateRole} 127.0.0.1/32 reject"];

    private async Task StartOnAFreePortAsync(CancellationToken cancel)
    {
        for (var attempt = 1; attempt <= FreePort.Attempts; attempt++)
        {
            Port = FreePort.Next();
            if (await TryStartAsync(cancel).ConfigureAwait(false))
                return;
        }

        throw new TestServerException($"PostgreSQL found {FreePort.Attempts} ports taken.");
    }

    /// <summary>Starts the server and waits until it answers; false when its port was taken.</summary>
    private async Task<bool> TryStartAsync(CancellationToken cancel)
    {
        // What differs between a primary and its standby is given here, as the standby's files are the primary's.
        var log = _folder["log"];
        File.Delete(log);
        await File.WriteAllTextAsync(log, "", cancel).ConfigureAwait(false);
        await ServiceUser.GiveAsync(log, cancel).ConfigureAwait(false);
        var process = GuardedProcess.Start(
            [_program, "-D", DataFolder, "-p", $"{Port}", "-k", SocketFolder], log, lastSignal: "QUIT", _folder["home"]);
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await ExecuteAsync("SELECT 1", cancel: cancel).ConfigureAwait(false);
                _process = process;
                return true;
            }
            catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
            {
                if (!process.HasExited && clock.Elapsed < s_startTimeout && !cancel.IsCancellationRequested)
                {
                    await Task.Delay(20, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    continue;
                }

                await process.DisposeAsync().ConfigureAwait(false);
                cancel.ThrowIfCancellationRequested();
                if (process.Log.Contains("Address already in use", StringComparison.Ordinal))
                    return false;
                throw new TestServerException($"PostgreSQL did not start: {process.Log}", e);
            }
        }
    }
}
