using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Checks;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.InPlace;

/// <summary>Whether what a database holds can be replaced within one transaction.</summary>
internal sealed class InPlaceChecks(PinnedServer server, string name, Contents contents, LiveDatabase live, CancellationToken cancellationToken)
{
    public async Task<Finding> RunAsync()
    {
        if (contents.Database.Encoding != "UTF8" || live.Properties.Encoding != "UTF8")
        {
            throw new MoltException("InPlaceNotPossible", ErrorKind.NotSupported, $"Only UTF8 can be restored in place; {name} has {live.Properties.Encoding}, the backup {contents.Database.Encoding}.", "Restore with -Replace, or into a new database.", name);
        }

        var target = server.WithDatabase(name);
        await using (target.ConfigureAwait(false))
        {
            var session = await target.OpenAsync(new SessionOptions("restore"), cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                await DatabaseCatalog.ExecuteAsync(session, "SET default_transaction_read_only = on; SET search_path = ''", cancellationToken).ConfigureAwait(false);
                return await LookAsync(session).ConfigureAwait(false);
            }
        }
    }

    private async Task<Finding> LookAsync(NpgsqlConnection session)
    {
        var foreign = new List<string>();
        await DatabaseCatalog.ReadAsync(session, """
            SELECT format('%s of %s', c.oid::regclass, pg_get_userbyid(c.relowner)) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT pg_has_role(c.relowner, 'USAGE')
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
            ORDER BY 1 LIMIT 10
            """, row => foreign.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        if (foreign.Count > 0)
        {
            throw new MoltException("InPlaceNotPossible", ErrorKind.NotSupported, $"The role may not drop what belongs to others: {string.Join("; ", foreign)}.", "Restore as their owner, as a member of their owners, or as a superuser.", name);
        }

        if (await DatabaseCatalog.ScalarAsync<bool>(session, string.Create(CultureInfo.InvariantCulture, $"SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription WHERE subdbid = {live.Oid})"), cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("InPlaceNotPossible", ErrorKind.NotSupported, $"{name} has a subscription, which cannot be dropped within a transaction.", "Drop it first: ALTER SUBSCRIPTION … DISABLE, then DROP SUBSCRIPTION.", name);
        }

        var (relations, slots) = (0L, 0L);
        await DatabaseCatalog.ReadAsync(session, """
            SELECT (SELECT count(*) FROM pg_catalog.pg_class WHERE oid >= 16384),
                   current_setting('max_locks_per_transaction')::int8 * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8)
            """, row => (relations, slots) = (row.GetInt64(0), row.GetInt64(1)), cancellationToken).ConfigureAwait(false);
        return relations * 2 > slots
            ? Finding.Warning(string.Create(CultureInfo.InvariantCulture, $"the transaction will hold some {relations * 2:N0} locks, and the server has {slots:N0}"), "Raise max_locks_per_transaction on the server.")
            : Finding.Pass("all that the database holds can be dropped and restored in one transaction");
    }
}
