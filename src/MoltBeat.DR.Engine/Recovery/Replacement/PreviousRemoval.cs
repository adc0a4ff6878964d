using System.Globalization;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>Which replaced databases to remove.</summary>
public sealed record PreviousRemovalOptions
{
    /// <summary>The server and the database whose predecessors are meant.</summary>
    public required ConnectionSettings Connection { get; init; }

    /// <summary>Only this one; null for all.</summary>
    public string? Name { get; init; }

    /// <summary>Only such as were replaced longer ago, by the server's clock; null for any age.</summary>
    public TimeSpan? OlderThan { get; init; }
}

/// <summary>Removes databases that were replaced: such as say so themselves, and no others, whatever they are called.</summary>
public static class PreviousRemoval
{
    /// <param name="options">Which.</param>
    /// <param name="approve">Is asked for each; until it says yes that one is left alone.</param>
    /// <param name="failed">Is told of each that could not be removed; the others are all the same.</param>
    /// <param name="cancellationToken">Ends it between two of them.</param>
    /// <returns>Those that are gone.</returns>
    /// <exception cref="MoltException"><c>NothingToUndo</c> when the one that is named is none of them.</exception>
    public static async Task<IReadOnlyList<PreviousDatabase>> RunAsync(PreviousRemovalOptions options, Func<PreviousDatabase, Task<bool>> approve, Action<MoltException> failed, CancellationToken cancellationToken)
    {
        var database = options.Connection.Database;
        var (admin, server) = await MaintenanceSession.OpenAsync(options.Connection, database, "removal", cancellationToken).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        await using (admin.ConfigureAwait(false))
        {
            var removed = new List<PreviousDatabase>();
            foreach (var previous in await ChooseAsync(admin, server, options, cancellationToken).ConfigureAwait(false))
            {
                if (!await approve(previous).ConfigureAwait(false))
                {
                    continue;
                }

                try
                {
                    await RemoveAsync(admin, server, previous, cancellationToken).ConfigureAwait(false);
                    removed.Add(previous);
                }
                catch (MoltException e)
                {
                    failed(e);
                }
                catch (PostgresException e)
                {
                    failed(new MoltException("PreviousNotRemoved", ErrorKind.Failed, $"{previous.Name} could not be removed: {e.MessageText}.", "End the sessions in it, drop replication slots that belong to it, or remove it as its owner.", previous.Name, e));
                }
            }

            return removed;
        }
    }

    /// <summary>All of a database that are kept, the newest first.</summary>
    public static async Task<IReadOnlyList<PreviousDatabase>> ListAsync(ConnectionSettings connection, CancellationToken cancellationToken)
    {
        var (admin, server) = await MaintenanceSession.OpenAsync(connection, connection.Database, "list", cancellationToken).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        await using (admin.ConfigureAwait(false))
        {
            return await ChooseAsync(admin, server, new PreviousRemovalOptions { Connection = connection }, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<IReadOnlyList<PreviousDatabase>> ChooseAsync(NpgsqlConnection admin, PinnedServer server, PreviousRemovalOptions options, CancellationToken cancellationToken)
    {
        var now = DateTime.SpecifyKind(await DatabaseCatalog.ScalarAsync<DateTime>(admin, "SELECT now() AT TIME ZONE 'UTC'", cancellationToken).ConfigureAwait(false), DateTimeKind.Utc);
        var mine = (await PreviousDatabases.ListAsync(admin, server, cancellationToken).ConfigureAwait(false)).Select(p => p.Database).Where(p => p.Of == options.Connection.Database).ToList();
        if (options.Name is not null && mine.TrueForAll(p => p.Name != options.Name))
        {
            throw new MoltException("NothingToUndo", ErrorKind.NotFound, $"{options.Name} does not say that it was {options.Connection.Database} and was replaced: it is left alone.", "See which there are: Remove-MoltPreviousDatabase -WhatIf.", options.Name);
        }

        return mine.Where(p => options.Name is null || p.Name == options.Name).Where(p => options.OlderThan is not { } age || now - p.Replaced.UtcDateTime > age).ToList();
    }

    private static async Task RemoveAsync(NpgsqlConnection admin, PinnedServer server, PreviousDatabase previous, CancellationToken cancellationToken)
    {
        await DatabaseCatalog.ExecuteAsync(admin, "SET default_transaction_read_only = off", cancellationToken).ConfigureAwait(false);
        await ReplacementLock.TakeAsync(admin, previous.Of, cancellationToken).ConfigureAwait(false);
        try
        {
            // While the question stood, somebody may have brought it back.
            var present = await PreviousDatabases.ListAsync(admin, server, cancellationToken).ConfigureAwait(false);
            if (!present.Any(p => p.Database.Oid == previous.Oid && p.Database.Name == previous.Name))
            {
                throw new MoltException("TargetChanged", ErrorKind.Failed, $"{previous.Name} is not what it was when it was looked at: it is left alone.", "Look again which there are: Remove-MoltPreviousDatabase -WhatIf.", previous.Name);
            }

            var name = SqlName.Quote(previous.Name);
            if (await DatabaseCatalog.ScalarAsync<bool>(admin, string.Create(CultureInfo.InvariantCulture, $"SELECT datistemplate FROM pg_catalog.pg_database WHERE oid = {previous.Oid}"), cancellationToken).ConfigureAwait(false))
            {
                await DatabaseCatalog.ExecuteAsync(admin, $"ALTER DATABASE {name} IS_TEMPLATE false", cancellationToken).ConfigureAwait(false);
            }

            await DatabaseCatalog.ExecuteAsync(admin, $"DROP DATABASE {name}", cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await ReplacementLock.ReleaseAsync(admin, previous.Of, CancellationToken.None).ConfigureAwait(false);
        }
    }
}
