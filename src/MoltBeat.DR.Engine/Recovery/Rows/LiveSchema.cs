using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>The tables of the database that lost rows, and what ties them together.</summary>
internal sealed class LiveSchema
{
    private const string Tables = "c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

    private readonly Dictionary<uint, LiveTable> tables = [];
    private readonly Dictionary<uint, uint> roots = [];
    private readonly Dictionary<(string, string), uint> names = [];

    private LiveSchema()
    {
    }

    public List<LiveForeignKey> ForeignKeys { get; } = [];

    public LiveTable this[uint oid] => tables[oid];

    /// <summary>The table of this name, or the partitioned one that it is a partition of; null when there is none.</summary>
    public LiveTable? Find(string schema, string name) => names.TryGetValue((schema, name), out var oid) ? tables[roots[oid]] : null;

    public static async Task<LiveSchema> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var schema = new LiveSchema();
        await schema.ReadTablesAsync(connection, cancellationToken).ConfigureAwait(false);
        await schema.ReadColumnsAsync(connection, cancellationToken).ConfigureAwait(false);
        await schema.ReadUniquesAsync(connection, cancellationToken).ConfigureAwait(false);
        await schema.ReadForeignKeysAsync(connection, cancellationToken).ConfigureAwait(false);
        await schema.ReadWhatActsAsync(connection, cancellationToken).ConfigureAwait(false);
        return schema;
    }

    private Task ReadTablesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        => DatabaseCatalog.ReadAsync(connection, $"""
            SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p', CASE WHEN c.relispartition THEN coalesce(pg_partition_root(c.oid)::oid, c.oid) ELSE c.oid END,
                   c.relkind = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {Tables}
            """, row =>
        {
            var oid = row.GetFieldValue<uint>(0);
            roots[oid] = row.GetFieldValue<uint>(4);
            names[(row.GetString(1), row.GetString(2))] = oid;
            tables[oid] = new LiveTable { Oid = oid, Schema = row.GetString(1), Name = row.GetString(2), Partitioned = row.GetBoolean(3), HasChildren = row.GetBoolean(5) };
        }, cancellationToken);

    private Task ReadColumnsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        => DatabaseCatalog.ReadAsync(connection, $"""
            SELECT a.attrelid, a.attname::text,
                   (WITH RECURSIVE under (oid, kind, base) AS (
                      SELECT t.oid, t.typtype, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
                      UNION ALL SELECT t.oid, t.typtype, t.typbasetype FROM under u JOIN pg_catalog.pg_type t ON t.oid = u.base WHERE u.kind = 'd')
                    SELECT pg_catalog.format_type(oid, -1) FROM under WHERE kind <> 'd'),
                   a.attnotnull OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid AND t.typnotnull), a.atthasdef OR a.attidentity <> '' OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid AND t.typdefault IS NOT NULL),
                   a.attgenerated <> '', a.attidentity::text, pg_get_expr(d.adbin, d.adrelid), coalesce((SELECT l.collisdeterministic FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation), true)
            FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE {Tables} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
            """, row => tables[row.GetFieldValue<uint>(0)].Columns.Add(new LiveColumn(row.GetString(1), row.GetString(2), row.GetBoolean(3), row.GetBoolean(4), row.GetBoolean(5),
                row.GetString(6) is [var identity, ..] ? identity : ' ', row.IsDBNull(7) ? null : row.GetString(7), row.GetBoolean(8))), cancellationToken);

    private Task ReadUniquesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        => DatabaseCatalog.ReadAsync(connection, $"""
            SELECT i.indrelid, x.relname::text, i.indisprimary, i.indimmediate,
                   ARRAY(SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) k JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k] ORDER BY k),
                   ARRAY(SELECT format('OPERATOR(%I.%s)', p.nspname, o.oprname) FROM generate_series(0, i.indnkeyatts - 1) k
                           JOIN pg_catalog.pg_opclass f ON f.oid = i.indclass[k]
                           JOIN pg_catalog.pg_amop m ON m.amopfamily = f.opcfamily AND m.amoplefttype = f.opcintype AND m.amoprighttype = f.opcintype AND m.amopstrategy = 3
                           JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr JOIN pg_catalog.pg_namespace p ON p.oid = o.oprnamespace ORDER BY k)
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE {Tables} AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY i.indrelid, i.indisprimary DESC, x.relname
            """, row =>
        {
            var (columns, operators) = (row.GetFieldValue<string[]>(4), row.GetFieldValue<string[]>(5));
            if (columns.Length == operators.Length)
            {
                tables[row.GetFieldValue<uint>(0)].Uniques.Add(new UniqueKey(row.GetString(1), row.GetBoolean(2), row.GetBoolean(3), columns, operators));
            }
        }, cancellationToken);

    // Keys of single partitions are left to the server, which checks them as it does all others.
    private Task ReadForeignKeysAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        => DatabaseCatalog.ReadAsync(connection, """
            SELECT k.conname::text, k.conrelid, k.confrelid,
                   ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (n, o) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o),
                   ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (n, o) JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o),
                   ARRAY(SELECT format('OPERATOR(%I.%s)', p.nspname, o.oprname) FROM unnest(k.conpfeqop) WITH ORDINALITY u (n, o)
                           JOIN pg_catalog.pg_operator o ON o.oid = u.n JOIN pg_catalog.pg_namespace p ON p.oid = o.oprnamespace ORDER BY u.o),
                   k.confdeltype::text,
                   ARRAY(SELECT a.attname::text FROM jsonb_array_elements_text(CASE WHEN jsonb_typeof(to_jsonb(k) -> 'confdelsetcols') = 'array' THEN to_jsonb(k) -> 'confdelsetcols' ELSE '[]' END) u (n)
                           JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n::int2)
            FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conrelid, k.conname
            """, row =>
        {
            var (from, to) = (row.GetFieldValue<uint>(1), row.GetFieldValue<uint>(2));
            if (tables.ContainsKey(from) && tables.ContainsKey(to) && roots[from] == from)
            {
                var columns = row.GetFieldValue<string[]>(3);
                var set = row.GetFieldValue<string[]>(7);
                ForeignKeys.Add(new LiveForeignKey(row.GetString(0), from, roots[to], columns, row.GetFieldValue<string[]>(4), row.GetFieldValue<string[]>(5), row.GetString(6)[0], set.Length > 0 ? set : columns));
            }
        }, cancellationToken);

    private async Task ReadWhatActsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await DatabaseCatalog.ReadAsync(connection, $"""
            SELECT g.tgrelid, format('%I.%I', n.nspname, c.relname), g.tgname::text, g.tgenabled::text, (g.tgtype & 1) = 1 AND (g.tgtype & 2) = 2 AND (g.tgtype & 20) <> 0
            FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE {Tables} AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND (g.tgtype & 20) <> 0 ORDER BY 2, 3
            """, row => tables[roots[row.GetFieldValue<uint>(0)]].Triggers.Add(new LiveTrigger(row.GetString(1), row.GetString(2), row.GetString(3)[0], row.GetBoolean(4))), cancellationToken).ConfigureAwait(false);
        await DatabaseCatalog.ReadAsync(connection, $"""
            SELECT d.refobjid, format('%I.%I', sn.nspname, s.relname), a.attname::text, q.seqincrement
            FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
              JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
              JOIN pg_catalog.pg_class c ON c.oid = d.refobjid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE {Tables} AND d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
            """, row => tables[roots[row.GetFieldValue<uint>(0)]].Sequences.Add(new LiveSequence(row.GetString(1), row.GetString(2), row.GetInt64(3))), cancellationToken).ConfigureAwait(false);
        await DatabaseCatalog.ReadAsync(connection, $"""
            SELECT r.ev_class, r.rulename::text FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE {Tables} AND r.ev_type IN ('2', '3') AND r.ev_enabled IN ('O', 'A')
            """, row => tables[roots[row.GetFieldValue<uint>(0)]].Rules.Add(row.GetString(1)), cancellationToken).ConfigureAwait(false);
    }
}
