using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>One of the connections that read rows in a <see cref="SnapshotSession"/>'s snapshot.</summary>
public sealed class SnapshotReader : IAsyncDisposable
{
    /// <summary>
    /// Wait for a table's lock here. The session holds a lock on it, so the only thing to wait for is somebody who waits
    /// for an exclusive lock behind the session: that would end with the backup, hence never.
    /// </summary>
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Ranges read before the transaction is begun anew, which lets go of its locks: thousands of tables would else need
    /// more locks than max_locks_per_transaction allows by default.
    /// </summary>
    private const int RangesPerTransaction = 100;

    private readonly SnapshotSession session;
    private readonly NpgsqlConnection connection;
    private readonly string encoding;
    private int ranges;

    private SnapshotReader(SnapshotSession session, NpgsqlConnection connection, string encoding)
    {
        this.session = session;
        this.connection = connection;
        this.encoding = encoding;
    }

    /// <param name="session">Whose snapshot to join.</param>
    /// <param name="connection">A fresh connection to the same server and database, owned from here on.</param>
    /// <param name="encoding">The database's encoding, in which rows are then given as they are stored.</param>
    /// <param name="cancellationToken">Stops the joining.</param>
    public static async Task<SnapshotReader> JoinAsync(SnapshotSession session, NpgsqlConnection connection, string encoding, CancellationToken cancellationToken)
    {
        try
        {
            await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(session.ServerVersion, LockPatience), cancellationToken).ConfigureAwait(false);
            var reader = new SnapshotReader(session, connection, encoding);
            await SetEncodingAsync(connection, encoding, cancellationToken).ConfigureAwait(false);
            await reader.BeginAsync(cancellationToken).ConfigureAwait(false);
            return reader;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Reads one range of a table's rows and hands the COPY stream to <paramref name="consume"/>.</summary>
    public async Task ReadAsync(TableRange range, RowFormat format, Func<Stream, Task> consume, CancellationToken cancellationToken)
    {
        if (++ranges % RangesPerTransaction == 0)
        {
            await DatabaseCatalog.ExecuteAsync(connection, "COMMIT", cancellationToken).ConfigureAwait(false);
            await BeginAsync(cancellationToken).ConfigureAwait(false);
        }

        Stream stream;
        try
        {
            stream = await CopyOut.OpenAsync(connection, CopySql.Out(range, format, encoding), format, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            await DatabaseCatalog.ExecuteAsync(connection, "ROLLBACK", cancellationToken).ConfigureAwait(false);
            await BeginAsync(cancellationToken).ConfigureAwait(false);
            await session.UseAsync(async holder =>
            {
                await SetEncodingAsync(holder, encoding, cancellationToken).ConfigureAwait(false);
                var held = await CopyOut.OpenAsync(holder, CopySql.Out(range, format, encoding), format, cancellationToken).ConfigureAwait(false);
                await using (held.ConfigureAwait(false))
                {
                    await consume(held).ConfigureAwait(false);
                }

                await SetEncodingAsync(holder, ByteText.EncodingFor(encoding) ?? "UTF8", cancellationToken).ConfigureAwait(false);
            }, cancellationToken).ConfigureAwait(false);
            return;
        }

        await using (stream.ConfigureAwait(false))
        {
            await consume(stream).ConfigureAwait(false);
        }
    }

    public NpgsqlConnection Connection => connection;

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    private static Task SetEncodingAsync(NpgsqlConnection connection, string encoding, CancellationToken cancellationToken)
        => DatabaseCatalog.ExecuteAsync(connection, $"SET client_encoding = {SqlName.Literal(encoding)}", cancellationToken);

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        await DatabaseCatalog.ExecuteAsync(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", cancellationToken).ConfigureAwait(false);
        await DatabaseCatalog.ExecuteAsync(connection, $"SET TRANSACTION SNAPSHOT {SqlName.Literal(session.Snapshot)}", cancellationToken).ConfigureAwait(false);
    }
}
