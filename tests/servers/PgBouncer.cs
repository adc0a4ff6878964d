using System.Diagnostics;
using Npgsql;

namespace MoltBeat.TestServers;

/// <summary>When pgbouncer gives a server connection back to its pool.</summary>
public enum PoolMode
{
    Session,
    Transaction,
}

/// <summary>A pgbouncer before a <see cref="PostgresServer"/>; it lets in the superuser and the given roles, to every database.</summary>
public sealed class PgBouncer : IAsyncDisposable
{
    private readonly ServerFolder _folder;
    private readonly PostgresServer _server;
    private GuardedProcess? _process;

    private PgBouncer(ServerFolder folder, PostgresServer server)
    {
        _folder = folder;
        _server = server;
    }

    public int Port { get; private set; }

    /// <summary>What pgbouncer has logged.</summary>
    public string Log => _process?.Log ?? "";

    /// <summary>Starts a pgbouncer.</summary>
    /// <param name="server">The server behind it, without TLS or with TLS that is not required.</param>
    /// <param name="mode">Its pool mode.</param>
    /// <param name="roles">Further roles and their passwords.</param>
    /// <param name="settings">Lines for the <c>[pgbouncer]</c> section. By default it refuses the start-up parameter <c>options</c>, as an untouched one does.</param>
    /// <param name="cancel">Ends the attempt.</param>
    /// <exception cref="TestServerMissingException">pgbouncer is not installed.</exception>
    public static async Task<PgBouncer> StartAsync(
        PostgresServer server,
        PoolMode mode,
        IReadOnlyDictionary<string, string>? roles = null,
        IReadOnlyList<string>? settings = null,
        CancellationToken cancel = default)
    {
        var program = Tool.Find("pgbouncer")
            ?? throw new TestServerMissingException("pgbouncer is not installed (Debian: apt-get install pgbouncer).");
        var bouncer = new PgBouncer(ServerFolder.Create(), server);
        try
        {
            for (var attempt = 1; attempt <= FreePort.Attempts; attempt++)
            {
                bouncer.Port = FreePort.Next();
                await bouncer.WriteFilesAsync(mode, roles ?? new Dictionary<string, string>(), settings ?? [], cancel).ConfigureAwait(false);
                if (await bouncer.TryStartAsync(program, cancel).ConfigureAwait(false))
                    return bouncer;
            }

            throw new TestServerException($"pgbouncer found {FreePort.Attempts} ports taken.");
        }
        catch
        {
            await bouncer.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A connection through pgbouncer in URI form.</summary>
    public string Uri(string database = "postgres", string? user = null, string? password = null, string? parameters = null) =>
        PostgresServer.Uri(Port, database, user, password, parameters, host: null);

    /// <summary>A connection through pgbouncer in Npgsql's form, without Npgsql's own pool.</summary>
    public string ConnectionString(string database = "postgres", string? user = null, string? password = null) =>
        new NpgsqlConnectionStringBuilder(_server.ConnectionString(database, user, password)) { Port = Port }.ConnectionString;

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
            await process.DisposeAsync().ConfigureAwait(false);
        _process = null;
        _folder.Dispose();
    }

    private async Task WriteFilesAsync(
        PoolMode mode, IReadOnlyDictionary<string, string> roles, IReadOnlyList<string> settings, CancellationToken cancel)
    {
        var all = new Dictionary<string, string>(roles) { [PostgresServer.Superuser] = PostgresServer.Password };
        // In plain text, so that pgbouncer can answer SCRAM on both of its sides.
        await File.WriteAllLinesAsync(_folder["users.txt"], all.Select(role => $"{Quote(role.Key)} {Quote(role.Value)}"), cancel).ConfigureAwait(false);
        await File.WriteAllTextAsync(
            _folder["pgbouncer.ini"],
            $"""
            [databases]
            * = host={PostgresServer.Host} port={_server.Port}

            [pgbouncer]
            listen_addr = {PostgresServer.Host}
            listen_port = {Port}
            unix_socket_dir =
            auth_type = scram-sha-256
            auth_file = {_folder["users.txt"]}
            pool_mode = {(mode == PoolMode.Transaction ? "transaction" : "session")}
            {string.Join('\n', settings)}

            """,
            cancel).ConfigureAwait(false);
        await File.WriteAllTextAsync(_folder["log"], "", cancel).ConfigureAwait(false);
        foreach (var name in new[] { "users.txt", "pgbouncer.ini", "log" })
            await ServiceUser.GiveAsync(_folder[name], cancel).ConfigureAwait(false);
    }

    private async Task<bool> TryStartAsync(string program, CancellationToken cancel)
    {
        // TERM: pgbouncer's immediate end; QUIT is nothing to it.
        var process = GuardedProcess.Start([program, _folder["pgbouncer.ini"]], _folder["log"], lastSignal: "TERM", _folder.Path);
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                await using var connection = new NpgsqlConnection(ConnectionString());
                await connection.OpenAsync(cancel).ConfigureAwait(false);
                _process = process;
                return true;
            }
            catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
            {
                if (!process.HasExited && clock.Elapsed < TimeSpan.FromSeconds(30) && !cancel.IsCancellationRequested)
                {
                    await Task.Delay(20, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    continue;
                }

                await process.DisposeAsync().ConfigureAwait(false);
                cancel.ThrowIfCancellationRequested();
                if (process.Log.Contains("Address already in use", StringComparison.OrdinalIgnoreCase))
                    return false;
                throw new TestServerException($"pgbouncer did not start: {process.Log}", e);
            }
        }
    }

    private static string Quote(string text) => $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
