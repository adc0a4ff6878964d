using System.Text.Json;
using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// What the system catalogs say about one database: its tables, properties, roles and extensions. Every query runs in the
/// caller's transaction, hence in its snapshot.
/// </summary>
public static class DatabaseCatalog
{
    /// <summary>User tables, as a condition on pg_class c and pg_namespace n. Users cannot make schemas that begin with pg_.</summary>
    private const string UserTables = "c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

    /// <summary>Names and oids of the plain and partitioned tables that have to be locked; an extension's own are its business, or pg_dump's.</summary>
    public static async Task<Dictionary<uint, string>> LockableTablesAsync(NpgsqlConnection connection, string encoding, IReadOnlyList<string> excluded, CancellationToken cancellationToken)
    {
        var tables = new Dictionary<uint, string>();
        await ReadAsync(connection, $"""
            SELECT c.oid, n.nspname::text, c.relname::text
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE {UserTables} AND c.relkind <> 'f'
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
            ORDER BY c.oid
            """, row =>
        {
            if (!TablePatterns.Matches(excluded, encoding, row.GetString(1), row.GetString(2)))
            {
                tables.Add(row.GetFieldValue<uint>(0), SqlName.Quote(row.GetString(1), row.GetString(2)));
            }
        }, cancellationToken).ConfigureAwait(false);
        return tables;
    }

    /// <summary>Every user table with what is needed to copy it.</summary>
    public static async Task<List<SourceTable>> TablesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var columns = new Dictionary<uint, List<string>>();
        var types = new Dictionary<uint, List<string>>();
        var keys = new Dictionary<uint, List<string>>();
        var textOnly = new HashSet<uint>();
        await ReadAsync(connection, $"""
            SELECT a.attrelid, a.attname::text, a.atttypid, t.typtype::text, pg_catalog.format_type(a.atttypid, -1)
            FROM pg_catalog.pg_attribute a
              JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            WHERE {UserTables} AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
            ORDER BY a.attrelid, a.attnum
            """, row =>
        {
            var table = row.GetFieldValue<uint>(0);
            Add(columns, table, row.GetString(1));
            Add(types, table, row.GetString(4));
            if (!BinarySafeTypes.Allows(row.GetFieldValue<uint>(2), row.GetString(3)[0]))
            {
                textOnly.Add(table);
            }
        }, cancellationToken).ConfigureAwait(false);

        await ReadAsync(connection, """
            SELECT i.indrelid, a.attname::text
            FROM pg_catalog.pg_index i CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) n (at)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n.at]
            WHERE i.indisprimary AND i.indrelid >= 16384 ORDER BY i.indrelid, n.at
            """, row => Add(keys, row.GetFieldValue<uint>(0), row.GetString(1)), cancellationToken).ConfigureAwait(false);
        var parents = new Dictionary<uint, List<uint>>();
        await ReadAsync(connection, "SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i ORDER BY 1, i.inhseqno",
            row => Add(parents, row.GetFieldValue<uint>(0), row.GetFieldValue<uint>(1)), cancellationToken).ConfigureAwait(false);
        var moving = new HashSet<uint>();
        await ReadAsync(connection, """
            WITH RECURSIVE moving (oid) AS (
              SELECT p.partrelid FROM pg_catalog.pg_partitioned_table p
              WHERE p.partstrat = 'h' AND EXISTS (SELECT FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am a ON a.oid = o.opcmethod WHERE o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops' AND a.amname = 'hash')
              UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN moving m ON m.oid = i.inhparent)
            SELECT oid FROM moving
            """, row => moving.Add(row.GetFieldValue<uint>(0)), cancellationToken).ConfigureAwait(false);
        var objects = await TableObjectsAsync(connection, cancellationToken).ConfigureAwait(false);

        var tables = new List<SourceTable>();
        await ReadAsync(connection, $"""
            SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, coalesce(am.amname, '')::text,
                   EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
                   c.relkind = 'f' OR (has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')),
                   row_security_active(c.oid),
                   CASE WHEN c.relkind = 'r' THEN coalesce(pg_relation_size(c.oid), 0) ELSE 0 END,
                   CASE WHEN c.reltoastrelid <> 0 THEN coalesce(pg_relation_size(c.reltoastrelid), 0) ELSE 0 END,
                   current_setting('block_size')::int8
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
            WHERE {UserTables}
            ORDER BY n.nspname, c.relname
            """, row =>
        {
            var oid = row.GetFieldValue<uint>(0);
            tables.Add(new SourceTable
            {
                Oid = oid,
                Schema = row.GetString(1),
                Name = row.GetString(2),
                Kind = row.GetString(3)[0],
                Persistence = row.GetString(4)[0],
                AccessMethod = row.GetString(5),
                ExtensionMember = row.GetBoolean(6),
                LoadedThroughRoot = moving.Contains(oid),
                Readable = row.GetBoolean(7),
                RowsHidden = row.GetBoolean(8),
                Blocks = row.GetInt64(9) / row.GetInt64(11),
                Bytes = row.GetInt64(9) + row.GetInt64(10),
                Columns = columns.GetValueOrDefault(oid) ?? [],
                Types = types.GetValueOrDefault(oid) ?? [],
                Key = keys.GetValueOrDefault(oid) ?? [],
                Format = textOnly.Contains(oid) ? RowFormat.Text : RowFormat.Binary,
                Objects = objects.GetValueOrDefault(oid) ?? [],
                Parents = parents.GetValueOrDefault(oid) ?? [],
            });
        }, cancellationToken).ConfigureAwait(false);
        return tables;
    }

    /// <summary>Foreign keys as (name, referencing table, referenced table).</summary>
    public static async Task<List<(string Name, uint From, uint To)>> ForeignKeysAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var keys = new List<(string, uint, uint)>();
        await ReadAsync(connection, "SELECT conname::text, conrelid, confrelid FROM pg_catalog.pg_constraint WHERE contype = 'f' ORDER BY 1, 2",
            row => keys.Add((row.GetString(0), row.GetFieldValue<uint>(1), row.GetFieldValue<uint>(2))), cancellationToken).ConfigureAwait(false);
        return keys;
    }

    /// <summary>Views that read a table, as (view, table).</summary>
    public static async Task<List<(string View, uint Table)>> ViewsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var views = new List<(string, uint)>();
        await ReadAsync(connection, """
            SELECT DISTINCT r.ev_class::regclass::text, d.refobjid
            FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
            WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND v.relkind IN ('v', 'm') AND d.refobjid <> r.ev_class
              AND v.oid >= 16384
            """, row => views.Add((row.GetString(0), row.GetFieldValue<uint>(1))), cancellationToken).ConfigureAwait(false);
        return views;
    }

    /// <summary>What it takes to make this database's like.</summary>
    public static async Task<DatabaseProperties> PropertiesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
        => (await PropertiesAsync(connection, "current_database()", cancellationToken).ConfigureAwait(false)).Shared();

    /// <summary>The same of another database of the server, in whose encoding no name is then.</summary>
    public static Task<DatabaseProperties> PropertiesOfAsync(NpgsqlConnection connection, string database, CancellationToken cancellationToken)
        => PropertiesAsync(connection, SqlName.Literal(database), cancellationToken);

    private static async Task<DatabaseProperties> PropertiesAsync(NpgsqlConnection connection, string database, CancellationToken cancellationToken)
    {
        // Through JSON, because the columns of locales came and were renamed between versions 14 and 17.
        DatabaseProperties? properties = null;
        await ReadAsync(connection, $"""
            SELECT to_jsonb(d)::text, pg_get_userbyid(d.datdba)::text, pg_encoding_to_char(d.encoding)::text,
                   (SELECT t.spcname::text FROM pg_catalog.pg_tablespace t WHERE t.oid = d.dattablespace AND t.spcname <> 'pg_default'),
                   shobj_description(d.oid, 'pg_database')
            FROM pg_catalog.pg_database d WHERE d.datname = {database}
            """, row =>
        {
            using var json = JsonDocument.Parse(row.GetString(0));
            string? Text(string name) => json.RootElement.TryGetProperty(name, out var e) && e.ValueKind == JsonValueKind.String ? e.GetString() : null;
            properties = new DatabaseProperties
            {
                Name = Text("datname")!,
                Owner = row.GetString(1),
                Encoding = row.GetString(2),
                LocaleProvider = Text("datlocprovider"),
                Collate = Text("datcollate")!,
                CType = Text("datctype")!,
                Locale = Text("datlocale") ?? Text("daticulocale"),
                IcuRules = Text("daticurules"),
                Tablespace = row.IsDBNull(3) ? null : row.GetString(3),
                ConnectionLimit = json.RootElement.GetProperty("datconnlimit").GetInt32(),
                IsTemplate = json.RootElement.GetProperty("datistemplate").GetBoolean(),
                Comment = row.IsDBNull(4) ? null : row.GetString(4),
            };
        }, cancellationToken).ConfigureAwait(false);

        var grants = new List<Grant>();
        await ReadAsync(connection, $"""
            SELECT coalesce(r.rolname, '')::text, a.privilege_type, a.is_grantable
            FROM pg_catalog.pg_database d, aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
            WHERE d.datname = {database}
            """, row => grants.Add(new Grant(row.GetString(0), row.GetString(1), row.GetBoolean(2))), cancellationToken).ConfigureAwait(false);
        var hasAcl = false;
        await ReadAsync(connection, $"SELECT datacl IS NOT NULL FROM pg_catalog.pg_database WHERE datname = {database}",
            row => hasAcl = row.GetBoolean(0), cancellationToken).ConfigureAwait(false);

        var settings = new List<DatabaseSetting>();
        await ReadAsync(connection, $"""
            SELECT r.rolname::text, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
            FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
            WHERE s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = {database})
            ORDER BY 1 NULLS FIRST, 2
            """, row => settings.Add(new DatabaseSetting(row.IsDBNull(0) ? null : row.GetString(0), row.GetString(1), row.GetString(2))),
            cancellationToken).ConfigureAwait(false);
        return properties! with { Grants = hasAcl ? grants : null, Settings = settings };
    }

    /// <summary>Roles that anything in the database depends on.</summary>
    public static async Task<List<RoleUse>> RolesAsync(NpgsqlConnection connection, string encoding, CancellationToken cancellationToken)
    {
        // pg_shdepend leaves out the bootstrap superuser (oid 10), because it cannot be dropped: hence the second half.
        const string BootstrapOwns = """
            EXISTS (SELECT FROM pg_class WHERE relowner = 10 AND oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace)
              OR EXISTS (SELECT FROM pg_proc WHERE proowner = 10 AND oid >= 16384) OR EXISTS (SELECT FROM pg_type WHERE typowner = 10 AND oid >= 16384)
              OR EXISTS (SELECT FROM pg_namespace WHERE nspowner = 10 AND (oid >= 16384 OR nspname = 'public')) OR EXISTS (SELECT FROM pg_publication WHERE pubowner = 10)
              OR EXISTS (SELECT FROM pg_event_trigger WHERE evtowner = 10) OR EXISTS (SELECT FROM pg_foreign_server WHERE srvowner = 10)
              OR EXISTS (SELECT FROM pg_largeobject_metadata WHERE lomowner = 10) OR EXISTS (SELECT FROM pg_default_acl WHERE defaclrole = 10)
              OR EXISTS (SELECT FROM pg_collation WHERE collowner = 10 AND oid >= 16384) OR EXISTS (SELECT FROM pg_database WHERE datdba = 10 AND datname = current_database())
            """;
        var roles = new List<RoleUse>();
        await ReadAsync(connection, $"""
            SELECT r.rolname::text, bool_or(d.deptype = 'o'), bool_or(d.deptype = 'a'), bool_or(d.deptype = 'r' OR d.classid = 'pg_catalog.pg_user_mapping'::regclass)
            FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
              JOIN pg_catalog.pg_database db ON db.datname = current_database()
            WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass
              AND (d.dbid = db.oid OR (d.dbid = 0 AND d.classid = 'pg_catalog.pg_database'::regclass AND d.objid = db.oid))
            GROUP BY 1
            UNION ALL
            SELECT rolname::text, true, false, false FROM pg_catalog.pg_roles WHERE oid = 10 AND ({BootstrapOwns})
            ORDER BY 1
            """, row => roles.Add(new RoleUse(ByteText.Shown(row.GetString(0), encoding), row.GetBoolean(1), row.GetBoolean(2), row.GetBoolean(3))), cancellationToken).ConfigureAwait(false);
        return roles;
    }

    public static async Task<List<ExtensionUse>> ExtensionsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var extensions = new List<ExtensionUse>();
        await ReadAsync(connection, """
            SELECT e.extname::text, e.extversion, n.nspname::text
            FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1
            """, row => extensions.Add(new ExtensionUse(row.GetString(0), row.GetString(1), row.GetString(2))), cancellationToken).ConfigureAwait(false);
        return extensions;
    }

    /// <summary>Tablespaces in use besides the database's own.</summary>
    public static async Task<List<string>> TablespacesAsync(NpgsqlConnection connection, string encoding, CancellationToken cancellationToken)
    {
        var spaces = new List<string>();
        await ReadAsync(connection, "SELECT DISTINCT t.spcname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace WHERE t.spcname <> 'pg_global'",
            row => spaces.Add(ByteText.Shown(row.GetString(0), encoding)), cancellationToken).ConfigureAwait(false);
        return spaces;
    }

    /// <summary>Runs a query and hands over each row.</summary>
    public static async Task ReadAsync(NpgsqlConnection connection, string sql, Action<NpgsqlDataReader> row, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, connection);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    row(reader);
                }
            }
        }
    }

    /// <summary>Runs commands that return nothing of interest.</summary>
    public static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, connection);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The one value of a query that gives one row of one column; default when it is null or there is no row.</summary>
    public static async Task<T?> ScalarAsync<T>(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        T? value = default;
        await ReadAsync(connection, sql, row => value = row.IsDBNull(0) ? default : row.GetFieldValue<T>(0), cancellationToken).ConfigureAwait(false);
        return value;
    }

    private static async Task<Dictionary<uint, List<TableObject>>> TableObjectsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var objects = new Dictionary<uint, List<TableObject>>();
        await ReadAsync(connection, """
            SELECT DISTINCT d.refobjid, d.classid, d.objid,
                   coalesce(pg_relation_size(CASE WHEN i.oid IS NOT NULL THEN i.oid WHEN k.contype IN ('p', 'u', 'x') THEN k.conindid END), 0),
                   (SELECT nullif(a.amname, 'btree')::text FROM pg_catalog.pg_class x JOIN pg_catalog.pg_am a ON a.oid = x.relam
                    WHERE x.oid = CASE WHEN i.oid IS NOT NULL THEN i.oid WHEN k.contype IN ('p', 'u', 'x') THEN k.conindid END)
            FROM pg_catalog.pg_depend d
              JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p') AND c.oid >= 16384
              LEFT JOIN pg_catalog.pg_class i ON d.classid = 'pg_catalog.pg_class'::regclass AND i.oid = d.objid AND i.relkind IN ('i', 'I')
              LEFT JOIN pg_catalog.pg_constraint k ON d.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = d.objid
            WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
              AND (i.oid IS NOT NULL OR k.oid IS NOT NULL
                OR d.classid IN ('pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_statistic_ext'::regclass)
                OR (d.classid = 'pg_catalog.pg_rewrite'::regclass AND EXISTS (
                  SELECT FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class t ON t.oid = r.ev_class WHERE r.oid = d.objid AND t.relkind IN ('r', 'p'))))
            """, row => Add(objects, row.GetFieldValue<uint>(0), new TableObject(row.GetFieldValue<uint>(1), row.GetFieldValue<uint>(2), row.GetInt64(3), row.IsDBNull(4) ? null : row.GetString(4))),
            cancellationToken).ConfigureAwait(false);
        return objects;
    }

    private static void Add<T>(Dictionary<uint, List<T>> lists, uint key, T value)
    {
        if (!lists.TryGetValue(key, out var list))
        {
            lists.Add(key, list = []);
        }

        list.Add(value);
    }
}
