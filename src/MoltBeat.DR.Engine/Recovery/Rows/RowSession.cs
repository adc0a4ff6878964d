using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>
/// The one session in which rows out of a backup are held beside those of a database. They lie in temporary tables, which
/// no other session sees and which are gone with this one, however it ends.
/// </summary>
internal sealed class RowSession : IAsyncDisposable
{
    private readonly PinnedServer server;
    private readonly string clientEncoding;
    private readonly string operatorsPath;
    private int names;

    private RowSession(PinnedServer server, NpgsqlConnection connection, string encoding, string operatorsPath, int version)
    {
        this.server = server;
        Connection = connection;
        clientEncoding = ByteText.EncodingFor(encoding) ?? "UTF8";
        this.operatorsPath = operatorsPath;
        Encoding = encoding;
        Version = version;
    }

    public NpgsqlConnection Connection { get; }

    /// <summary>Of the database.</summary>
    public string Encoding { get; }

    /// <summary><c>server_version_num</c>.</summary>
    public int Version { get; }

    public PinnedServer Server => server;

    public static async Task<RowSession> OpenAsync(ConnectionSettings settings, string purpose, CancellationToken cancellationToken)
    {
        var options = new SessionOptions(purpose, ReadBufferBytes: 1 << 16, WriteBufferBytes: 1 << 17);
        var (connection, server) = await ServerConnector.OpenAsync(settings, options, cancellationToken).ConfigureAwait(false);
        try
        {
            await Pooler.RefuseTransactionPoolingAsync(server, connection, cancellationToken).ConfigureAwait(false);
            var (encoding, path, version) = ("", "", 0);
            await DatabaseCatalog.ReadAsync(connection, "SELECT current_setting('server_encoding'), current_setting('search_path'), current_setting('server_version_num')::int", row => (encoding, path, version) = (row.GetString(0), row.GetString(1), row.GetInt32(2)), cancellationToken).ConfigureAwait(false);
            if (await DatabaseCatalog.ScalarAsync<bool>(connection, "SELECT pg_catalog.pg_is_in_recovery()", cancellationToken).ConfigureAwait(false))
            {
                throw new MoltException("ServerIsStandby", ErrorKind.NotSupported, $"{settings.Describe()} is a standby: it takes no temporary tables, and no rows.", "Name the primary.", settings.Describe());
            }

            if (ByteText.EncodingFor(encoding) is not null)
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                connection = await server.OpenAsync(options.In(encoding), cancellationToken).ConfigureAwait(false);
            }

            await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(version, TimeSpan.Zero), cancellationToken).ConfigureAwait(false);
            return new RowSession(server, connection, encoding, path, version);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A name for a temporary table, with its schema.</summary>
    public string NewName(string of) => $"pg_temp.molt_{of}_{++names}";

    public Task ExecuteAsync(string sql, CancellationToken cancellationToken) => DatabaseCatalog.ExecuteAsync(Connection, sql, cancellationToken);

    public Task<T?> ScalarAsync<T>(string sql, CancellationToken cancellationToken) => DatabaseCatalog.ScalarAsync<T>(Connection, sql, cancellationToken);

    /// <summary>Rows that a command touched, or 0.</summary>
    public async Task<long> CountAsync(string sql, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, Connection);
        await using (command.ConfigureAwait(false))
        {
            return Math.Max(0, await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false));
        }
    }

    /// <summary>Runs one command that holds the operator's own SQL: in a read-only transaction, so that it can fill temporary tables and nothing else, and with the search_path that the role has.</summary>
    public async Task AsOperatorAsync(string sql, CancellationToken cancellationToken)
    {
        await ExecuteAsync("BEGIN READ ONLY; SELECT pg_catalog.set_config('search_path', " + SqlName.Literal(operatorsPath) + ", true)", cancellationToken).ConfigureAwait(false);
        try
        {
            // One command of a batch is sent as it is: what holds a second one behind a semicolon is refused by the server.
            var batch = new NpgsqlBatch(Connection) { BatchCommands = { new NpgsqlBatchCommand(sql) } };
            await using (batch.ConfigureAwait(false))
            {
                await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

            await ExecuteAsync("COMMIT", cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException)
        {
            await RollBackAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Runs COPY with rows in another encoding.</summary>
    public async Task InEncodingAsync(string encoding, Func<Task> copy, CancellationToken cancellationToken)
    {
        await ExecuteAsync($"SET client_encoding = {SqlName.Literal(encoding)}", cancellationToken).ConfigureAwait(false);
        await copy().ConfigureAwait(false);
        await ExecuteAsync($"SET client_encoding = {SqlName.Literal(clientEncoding)}", cancellationToken).ConfigureAwait(false);
    }

    public async Task RollBackAsync()
    {
        try
        {
            await ExecuteAsync("ROLLBACK", CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The session is gone, and its transaction with it.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync().ConfigureAwait(false);
        await server.DisposeAsync().ConfigureAwait(false);
    }
}
