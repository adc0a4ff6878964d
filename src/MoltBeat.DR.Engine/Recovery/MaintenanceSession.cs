using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>Connects to a server beside the database that is worked on: that one may be lost, or about to get another name.</summary>
internal static class MaintenanceSession
{
    /// <summary>Connected to in this order.</summary>
    private static readonly string[] Databases = ["postgres", "template1"];

    /// <param name="connection">The server; its own database is taken where none of the usual ones lets us in.</param>
    /// <param name="except">The database that is worked on.</param>
    /// <param name="purpose">As of <see cref="SessionOptions"/>.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>A session with pinned settings which the server keeps from writing, until <c>default_transaction_read_only</c> is turned off.</returns>
    public static async Task<(NpgsqlConnection Connection, PinnedServer Server)> OpenAsync(ConnectionSettings connection, string except, string purpose, CancellationToken cancellationToken)
    {
        var (session, server) = await ConnectAsync(connection, except, purpose, cancellationToken).ConfigureAwait(false);
        try
        {
            await DatabaseCatalog.ExecuteAsync(session, SessionSettings.Pin(server.Version.Major * 10000, TimeSpan.Zero) + " SET default_transaction_read_only = on", cancellationToken).ConfigureAwait(false);
            await Pooler.RefuseTransactionPoolingAsync(server, session, cancellationToken).ConfigureAwait(false);
            return (session, server);
        }
        catch (Exception e)
        {
            await session.DisposeAsync().ConfigureAwait(false);
            await server.DisposeAsync().ConfigureAwait(false);
            if (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Connecting to {connection.Describe()}", except) is { } translated)
            {
                throw translated;
            }

            throw;
        }
    }

    private static async Task<(NpgsqlConnection Connection, PinnedServer Server)> ConnectAsync(ConnectionSettings connection, string except, string purpose, CancellationToken cancellationToken)
    {
        MoltException? first = null;
        foreach (var database in Databases.Append(connection.Database).Where(d => d != except).Distinct())
        {
            try
            {
                return await ServerConnector.OpenAsync(connection.WithDatabase(database), new SessionOptions(purpose), cancellationToken).ConfigureAwait(false);
            }
            catch (MoltException e) when (e.Id is "DatabaseNotFound" or "ConnectDenied")
            {
                first ??= e;
            }
        }

        throw first!;
    }
}
