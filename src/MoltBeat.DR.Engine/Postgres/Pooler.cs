using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Finds out whether a pooler stands before the server and gives a session's next transaction to another server process.
/// Through such a one neither a snapshot's settings nor pg_dump's survive from one command to the next.
/// </summary>
public static class Pooler
{
    private const int Rounds = 3;

    /// <param name="server">Is told when there is a pooler.</param>
    /// <param name="connection">A session on it.</param>
    /// <param name="cancellationToken">Stops the looking.</param>
    /// <exception cref="MoltException"><c>TransactionPooling</c>.</exception>
    public static async Task RefuseTransactionPoolingAsync(PinnedServer server, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // A pooler gives the client a process number of its own making; a server gives its true one.
        var process = await ProcessAsync(connection, cancellationToken).ConfigureAwait(false);
        if (process == connection.ProcessID)
        {
            return;
        }

        server.IsPooler = true;
        for (var round = 0; round < Rounds; round++)
        {
            var other = await server.OpenAsync(new SessionOptions("probe"), cancellationToken).ConfigureAwait(false);
            await using (other.ConfigureAwait(false))
            {
                int holder;
                try
                {
                    // While the other session is inside a transaction, the process it has cannot also be ours.
                    await DatabaseCatalog.ExecuteAsync(other, "BEGIN ISOLATION LEVEL READ COMMITTED", cancellationToken).ConfigureAwait(false);
                    holder = await ProcessAsync(other, cancellationToken).ConfigureAwait(false);
                }
                catch (PostgresException e)
                {
                    throw Refused(server, e); // statement pooling refuses transactions
                }

                var now = await ProcessAsync(connection, cancellationToken).ConfigureAwait(false);
                if (holder == process || now != process)
                {
                    throw Refused(server, null);
                }

                await DatabaseCatalog.ExecuteAsync(other, "ROLLBACK", cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static Task<int> ProcessAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        => DatabaseCatalog.ScalarAsync<int>(connection, "SELECT pg_backend_pid()", cancellationToken);

    private static MoltException Refused(PinnedServer server, Exception? inner)
        => new("TransactionPooling", ErrorKind.NotSupported,
            $"{server.Settings.Describe()} is a pooler that hands a session from one server process to another between transactions (pgbouncer's pool_mode = transaction). A snapshot cannot be held through it.",
            "Connect to PostgreSQL itself, or to a pool in session mode.", server.Settings.Describe(), inner);
}
