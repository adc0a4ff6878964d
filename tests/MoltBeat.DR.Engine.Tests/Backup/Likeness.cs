using System.Text;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>Compares two databases with stock tools only: nothing of ours has a say in whether they are alike.</summary>
internal static class Likeness
{
    /// <summary>A count and a sum of hashes for every table and filled materialized view, made by the server.</summary>
    private const string Rows = """
        SET search_path = pg_catalog;
        SELECT format('%I.%I', n.nspname, c.relname), (xpath('/row/h/text()', query_to_xml(format(
            'SELECT count(*) || '' '' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS h FROM %s %I.%I t', CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY' END, n.nspname, c.relname), false, true, '')))[1]
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (c.relkind IN ('r', 'p') OR c.relkind = 'm' AND c.relispopulated) AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
          AND n.nspname || '.' || c.relname !~ '^parts.by_mood' -- hashed by an enum's OIDs, so that rows belong to other partitions in a copy
        ORDER BY 1
        """;

    private const string Sequences = """
        SET search_path = pg_catalog;
        SELECT format('%I.%I', n.nspname, c.relname), query_to_xml(format('SELECT last_value, is_called FROM %I.%I', n.nspname, c.relname), false, true, '')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' ORDER BY 1
        """;

    private const string Properties = """
        SET search_path = pg_catalog;
        SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider, datistemplate, datallowconn, datconnlimit, shobj_description(oid, 'pg_database'),
               (SELECT spcname FROM pg_tablespace t WHERE t.oid = dattablespace), (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(datacl) a)
        FROM pg_database WHERE datname = current_database();
        SELECT setrole::regrole::text, unnest(setconfig) FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1, 2
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Schema, rows, sequences' values, large objects and the databases' own properties.</summary>
    public static async Task AssertAsync(TestDatabase source, PostgresServer server, string copy, bool schema = true, bool properties = true)
    {
        if (properties)
        {
            Assert.Equal(await QueryAsync(source.Server, source.Name, Properties), await QueryAsync(server, copy, Properties));
        }

        Assert.Equal(await QueryAsync(source.Server, source.Name, Sequences), await QueryAsync(server, copy, Sequences));
        await AssertRowsAsync(source, server, copy);
        if (schema)
            Assert.Equal(await DumpAsync(source.Server, source.Name, "--schema-only"), await DumpAsync(server, copy, "--schema-only"));

        var before = await DataAsync(source.Server, source.Name);
        var after = await DataAsync(server, copy);
        var where = before.AsSpan().CommonPrefixLength(after);
        Assert.True(before.Length == after.Length && where == before.Length,
            $"pg_dump --data-only differs: {Line(before, where)} became {Line(after, where)}");
    }

    private static string Line(string[] lines, int at) => at < lines.Length ? $"'{lines[at][..Math.Min(lines[at].Length, 200)]}'" : "nothing";

    /// <summary>
    /// Rows in any order: a table hashed by an enum has them in other partitions. Without pg_dump's comments, which name
    /// owners: the members of extensions belong to who restores.
    /// </summary>
    private static async Task<string[]> DataAsync(PostgresServer server, string database)
    {
        var lines = (await DumpAsync(server, database, "--data-only")).Where(l => !l.StartsWith("-- ", StringComparison.Ordinal)).ToArray();
        Array.Sort(lines, StringComparer.Ordinal);
        return lines;
    }

    public static async Task AssertRowsAsync(TestDatabase source, PostgresServer server, string copy)
        => Assert.Equal(await QueryAsync(source.Server, source.Name, Rows), await QueryAsync(server, copy, Rows));

    /// <summary>The lines of a plain dump, without the random key of newer versions.</summary>
    public static async Task<string[]> DumpAsync(PostgresServer server, string database, params string[] options)
    {
        var file = Path.GetTempFileName();
        try
        {
            await Tool.RunAsync("pg_dump", [.. options, "--format=plain", "--file", file, "--dbname", ConnectionTo(database)], Environment(server), Cancel);
            return [.. (await File.ReadAllLinesAsync(file, Encoding.Latin1, Cancel)).Where(l => !l.StartsWith("\\restrict ", StringComparison.Ordinal) && !l.StartsWith("\\unrestrict ", StringComparison.Ordinal))];
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<string[]> QueryAsync(PostgresServer server, string database, string sql)
        => (await Tool.RunAsync("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d", ConnectionTo(database)], Environment(server), Cancel)).Split('\n');

    private static string ConnectionTo(string database) => $"dbname='{database.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";

    /// <summary>The same form of every value whatever the database sets.</summary>
    private static Dictionary<string, string> Environment(PostgresServer server) => new(server.ToolEnvironment)
    {
        ["PGCLIENTENCODING"] = "SQL_ASCII", // bytes as they are
        ["PGOPTIONS"] = "-c standard_conforming_strings=on -c bytea_output=hex -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c statement_timeout=0 -c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed -c quote_all_identifiers=off -c lock_timeout=0 -c search_path=public",
    };
}
