using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.InPlace;

/// <summary>Drops what users have made in a database, within the caller's transaction. Extensions, their members and the schemas that these lie in stay.</summary>
internal static class DatabaseClearing
{
    private const string NotOfExtension = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = o.classid AND e.objid = o.objid AND e.deptype IN ('e', 'i'))";

    /// <summary>Lets nobody write any more, while everybody can read, and a backup be made.</summary>
    /// <exception cref="MoltException"><c>LockTimeout</c>.</exception>
    public static async Task LockAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        var tables = (await DatabaseCatalog.TablesAsync(session, cancellationToken).ConfigureAwait(false)).Where(t => t.Kind is 'r' or 'p' && !t.ExtensionMember).Select(t => t.QuotedName).ToList();
        if (tables.Count == 0)
        {
            return;
        }

        try
        {
            await DatabaseCatalog.ExecuteAsync(session, $"SET LOCAL lock_timeout = '30s'; LOCK TABLE ONLY {string.Join(", ONLY ", tables)} IN EXCLUSIVE MODE", cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            throw new MoltException("LockTimeout", ErrorKind.Timeout, $"Somebody has been writing for 30 s in a transaction: {e.MessageText}.", "Stop the application first, or end its transactions.", session.Database, e);
        }
    }

    public static async Task ClearAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        // First what no schema holds, then what lies in schemas; CASCADE takes what hangs on it, so that the next may be gone already.
        var drops = new List<string>();
        await DatabaseCatalog.ReadAsync(session, $"""
            SELECT i.type, i.identity
            FROM (SELECT 'pg_catalog.pg_event_trigger'::regclass::oid, oid FROM pg_catalog.pg_event_trigger
                  UNION ALL SELECT 'pg_catalog.pg_publication'::regclass, oid FROM pg_catalog.pg_publication
                  UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid FROM pg_catalog.pg_foreign_data_wrapper
                  UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, oid FROM pg_catalog.pg_foreign_server
                  UNION ALL SELECT 'pg_catalog.pg_cast'::regclass, oid FROM pg_catalog.pg_cast
                  UNION ALL SELECT 'pg_catalog.pg_transform'::regclass, oid FROM pg_catalog.pg_transform
                  UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass, n.oid FROM pg_catalog.pg_namespace n
                    WHERE n.nspname <> 'public' AND n.nspname !~ '^pg_'
                      AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE x.extnamespace = n.oid)
                      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend m JOIN pg_catalog.pg_depend e ON e.classid = m.classid AND e.objid = m.objid AND e.deptype = 'e'
                                      WHERE m.refclassid = 'pg_catalog.pg_namespace'::regclass AND m.refobjid = n.oid)
                  UNION ALL SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
                    WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.deptype = 'n' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                  UNION ALL SELECT 'pg_catalog.pg_language'::regclass, oid FROM pg_catalog.pg_language
                  UNION ALL SELECT 'pg_catalog.pg_am'::regclass, oid FROM pg_catalog.pg_am) o (classid, objid)
              CROSS JOIN LATERAL pg_identify_object(o.classid, o.objid, 0) i
            WHERE o.objid >= 16384 AND {NotOfExtension} AND i.type NOT IN ('extension', 'default acl', 'composite type', 'index', 'toast table', 'trigger', 'rule', 'policy')
            """, row =>
        {
            var type = row.GetString(0) switch { "statistics object" => "statistics", "foreign-data wrapper" => "foreign data wrapper", var other => other };
            drops.Add($"DROP {type} IF EXISTS {row.GetString(1)} CASCADE");
        }, cancellationToken).ConfigureAwait(false);
        foreach (var drop in drops)
        {
            await DatabaseCatalog.ExecuteAsync(session, drop, cancellationToken).ConfigureAwait(false);
        }

        // An extension stays, and with it the tables of it that users fill: pg_dump has what users have put there.
        var filled = new List<string>();
        await DatabaseCatalog.ReadAsync(session, """
            SELECT format('DELETE FROM %s %s', c.oid::regclass, x.condition)
            FROM pg_catalog.pg_extension e CROSS JOIN LATERAL unnest(e.extconfig, e.extcondition) x (oid, condition) JOIN pg_catalog.pg_class c ON c.oid = x.oid AND c.relkind IN ('r', 'p')
            """, row => filled.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        foreach (var delete in filled)
        {
            await DatabaseCatalog.ExecuteAsync(session, delete, cancellationToken).ConfigureAwait(false);
        }

        await DatabaseCatalog.ReadAsync(session, "SELECT lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata", _ => { }, cancellationToken).ConfigureAwait(false);
    }
}
