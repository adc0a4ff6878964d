using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>
/// The SQL that takes restored rows out again, and puts the old values back. It does all of it or nothing, and nothing once a row has
/// changed since, or another has come that refers to one.
/// </summary>
internal sealed class UndoScript(RowSession session, LiveSchema schema, RowClosure closure, IReadOnlyDictionary<RowUnit, string> old)
{
    private const int RowsPerInsert = 500;

    private readonly List<RowUnit> units = closure.Units.Concat(closure.Links).ToList();

    /// <summary>Writes the script, from the rows as they are in the session's transaction.</summary>
    /// <param name="output">Takes it.</param>
    /// <param name="what">Lines of comment that say what it undoes.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task WriteAsync(Stream output, IEnumerable<string> what, CancellationToken cancellationToken)
    {
        async Task PutAsync(string text) => await output.WriteAsync(ByteText.Bytes(text, session.Encoding), cancellationToken).ConfigureAwait(false);
        await PutAsync($"""
            {string.Join('\n', what.Select(l => "-- " + l.ReplaceLineEndings(" ")))}
            BEGIN ISOLATION LEVEL READ COMMITTED;
            SET LOCAL client_encoding = {SqlName.Literal(ByteText.EncodingFor(session.Encoding) ?? "UTF8")}; SET LOCAL standard_conforming_strings = on; SET LOCAL search_path = '';
            SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex';
            SET LOCAL lc_monetary = 'C'; SET LOCAL xmloption = 'content'; SET LOCAL row_security = off; SET LOCAL lock_timeout = '10s';

            """).ConfigureAwait(false);
        for (var n = 0; n < units.Count; n++)
        {
            await WriteRowsAsync(PutAsync, n, cancellationToken).ConfigureAwait(false);
        }

        await PutAsync($"DO {Quoted(Body())};\nCOMMIT;\n").ConfigureAwait(false);
    }

    private async Task WriteRowsAsync(Func<string, Task> putAsync, int n, CancellationToken cancellationToken)
    {
        var unit = units[n];
        var keys = unit.Key?.Columns ?? [];
        await putAsync($"CREATE TEMPORARY TABLE {Name(n)} (state text, digest text{string.Concat(keys.Select((_, i) => $", k{i} text"))}{string.Concat(unit.Columns.Select((_, i) => $", v{i} text"))}) ON COMMIT DROP;\n").ConfigureAwait(false);
        var lines = new List<string>();
        var from = unit.Key is not null
            ? $"FROM {unit.Rows} r JOIN {unit.Live.From} t ON {unit.SameKey} LEFT JOIN {old[unit]} o ON o.id = r.id"
            : $"FROM {unit.Rows} r";
        var values = unit.Key is not null
            ? $"quote_literal(r.state::text), quote_literal({Digest(unit.LivingText)}){string.Concat(keys.Select(c => $", quote_nullable({RowUnit.Living(c)}::text)"))}{string.Concat(unit.Columns.Select((_, i) => $", quote_nullable(o.v{i})"))}"
            : $"quote_literal(r.state::text), quote_literal({Digest(unit.RowText)}){string.Concat(unit.Columns.Select(_ => ", 'NULL'"))}";
        var insert = $"INSERT INTO {Name(n)} VALUES\n";
        var pending = new StringBuilder();
        var count = 0;
        await foreach (var line in LinesAsync($"SELECT '(' || concat_ws(', ', {values}) || ')' {from} WHERE r.state IN ('m', 'u', 'o') ORDER BY r.id", cancellationToken).ConfigureAwait(false))
        {
            pending.Append(count % RowsPerInsert == 0 ? (count == 0 ? "" : ";\n") + insert : ",\n").Append(line);
            count++;
            if (pending.Length > 1 << 20)
            {
                await putAsync(pending.ToString()).ConfigureAwait(false);
                pending.Clear();
            }
        }

        await putAsync(pending.Append(count > 0 ? ";\n" : "").ToString()).ConfigureAwait(false);
    }

    private async IAsyncEnumerable<string> LinesAsync(string sql, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var command = new Npgsql.NpgsqlCommand(sql, session.Connection);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    yield return reader.GetString(0);
                }
            }
        }
    }

    private string Body()
    {
        var body = new StringBuilder("DECLARE found bigint; expected bigint;\nBEGIN\n");
        var tables = units.Select(u => u.Live).Distinct().ToList();

        // A key that came since could take rows along that nobody looks for here.
        var known = schema.ForeignKeys.Where(k => tables.Exists(t => t.Oid == k.To)).ToList();
        body.Append(CultureInfo.InvariantCulture, $"""
              IF EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confrelid IN ({string.Join(", ", tables.Select(t => SqlName.Literal(t.QuotedName) + "::pg_catalog.regclass"))})
                AND NOT (k.conrelid::pg_catalog.regclass::text || '.' || k.conname) = ANY (ARRAY[{string.Join(", ", known.Select(k => SqlName.Literal(schema[k.From].QuotedName) + "::pg_catalog.regclass::text || " + SqlName.Literal("." + k.Name)))}]::text[])) THEN
                RAISE EXCEPTION 'Nothing was undone: foreign keys have been added since.';
              END IF;

            """);
        foreach (var (unit, n) in units.Select((u, i) => (u, i)))
        {
            var table = SqlName.Literal(unit.ToString());
            body.Append(CultureInfo.InvariantCulture, $"  SELECT count(*) INTO expected FROM {Name(n)};\n");
            if (unit.Key is not null)
            {
                // Locked so, a row takes no new references until the end.
                body.Append(CultureInfo.InvariantCulture, $"""
                      PERFORM FROM {unit.Live.From} t JOIN {Name(n)} u ON {SameKey(unit, "u")} FOR UPDATE OF t;
                      SELECT count(*) INTO found FROM {unit.Live.From} t JOIN {Name(n)} u ON {SameKey(unit, "u")} AND u.digest = {Digest(unit.LivingText)};

                    """);
            }
            else
            {
                body.Append(CultureInfo.InvariantCulture, $"""
                      IF expected > 0 THEN LOCK TABLE {unit.Live.QuotedName} IN SHARE ROW EXCLUSIVE MODE; END IF;
                      SELECT coalesce(sum(least(u.n, (SELECT count(*) FROM {unit.Live.From} t WHERE {Digest(unit.LivingText)} = u.digest))), 0) INTO found FROM (SELECT digest, count(*) AS n FROM {Name(n)} GROUP BY 1) u;

                    """);
            }

            body.Append(CultureInfo.InvariantCulture, $"  IF found <> expected THEN RAISE EXCEPTION 'Nothing was undone: of % restored rows of % only % are as they were restored.', expected, {table}, found; END IF;\n");
        }

        foreach (var key in known)
        {
            body.Append(References(key));
        }

        var parts = units.SelectMany((u, n) => Parts(u, n)).ToList();
        body.Append("  WITH ").AppendJoin(",\n    ", parts.Select((p, i) => $"w{i} AS ({p} RETURNING 1)"));
        body.Append(CultureInfo.InvariantCulture, $"\n  SELECT {string.Join(" + ", parts.Select((_, i) => $"(SELECT count(*) FROM w{i})"))} INTO found;\n");
        body.Append(CultureInfo.InvariantCulture, $"  SELECT {string.Join(" + ", units.Select((_, n) => $"(SELECT count(*) FROM {Name(n)})"))} INTO expected;\n");
        return body.Append("  IF found <> expected THEN RAISE EXCEPTION 'Nothing was undone: % rows in place of %.', found, expected; END IF;\nEND\n").ToString();
    }

    /// <summary>That no row refers to one that goes, but those that go with it.</summary>
    private string References(LiveForeignKey key)
    {
        var child = schema[key.From];
        var own = units.Select((u, n) => (Unit: u, N: n)).Where(u => u.Unit.Live == child).ToList();
        var parents = units.Select((u, n) => (Unit: u, N: n)).Where(u => u.Unit.Live.Oid == key.To && u.Unit.Link is null && u.Unit.Key is not null);
        var text = new StringBuilder();
        foreach (var (parent, n) in parents)
        {
            var others = string.Concat(own.Select(u => u.Unit.Key is not null
                ? $" AND NOT EXISTS (SELECT FROM {Name(u.N)} x WHERE {SameKey(u.Unit, "x", "c")})"
                : $" AND NOT EXISTS (SELECT FROM {Name(u.N)} x WHERE x.digest = {Digest(u.Unit.TextOf("c"))})"));
            text.Append(CultureInfo.InvariantCulture, $"""
                  IF EXISTS (SELECT FROM {Name(n)} u JOIN {parent.Live.From} t ON {SameKey(parent, "u")} JOIN {child.From} c ON {string.Join(" AND ", key.ToColumns.Select((c, i) => $"{RowUnit.Living(c)} {key.Operators[i]} c.{SqlName.Quote(key.FromColumns[i])}"))} WHERE u.state = 'm'{others}) THEN
                    RAISE EXCEPTION 'Nothing was undone: rows of % refer to restored rows, and were not restored with them.', {SqlName.Literal(child.ToString())};
                  END IF;

                """);
        }

        return text.ToString();
    }

    private static IEnumerable<string> Parts(RowUnit unit, int n)
    {
        if (unit.Key is null)
        {
            yield return $"""
                DELETE FROM {unit.Live.From} t USING (SELECT l.o, l.c FROM (SELECT t.tableoid AS o, t.ctid AS c, {Digest(unit.LivingText)} AS digest, row_number() OVER (PARTITION BY {unit.LivingText}) AS n FROM {unit.Live.From} t) l
                  JOIN (SELECT digest, count(*) AS n FROM {Name(n)} GROUP BY 1) u ON u.digest = l.digest AND l.n <= u.n) d WHERE t.ctid = d.c AND t.tableoid = d.o
                """;
            yield break;
        }

        if (unit.Link is null)
        {
            yield return $"DELETE FROM {unit.Live.From} t USING {Name(n)} u WHERE u.state = 'm' AND {SameKey(unit, "u")}";
        }

        if (unit.Sets.Count > 0)
        {
            var set = string.Join(", ", unit.Sets.Select(c => $"{SqlName.Quote(c)} = u.v{unit.Place(c)[1..]}::{unit.Live.Column(c).Type}"));
            yield return $"UPDATE {unit.Live.From} t SET {set} FROM {Name(n)} u WHERE u.state <> 'm' AND {SameKey(unit, "u")}";
        }
    }

    private static string SameKey(RowUnit unit, string undo, string living = "t")
        => string.Join(" AND ", unit.Key!.Columns.Select((c, i) => $"{RowUnit.Living(c, living)} {unit.Key.Operators[i]} {undo}.k{i}::{unit.Live.Column(c).Type}"));

    private static string Digest(string row) => $"pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({row}, pg_catalog.getdatabaseencoding()::name)), 'hex')";

    private static string Name(int n) => string.Create(CultureInfo.InvariantCulture, $"pg_temp.molt_undo_{n}");

    /// <summary>Between dollars that are not in it.</summary>
    private static string Quoted(string body)
    {
        var tag = "$molt$";
        for (var i = 0; body.Contains(tag, StringComparison.Ordinal); i++)
        {
            tag = string.Create(CultureInfo.InvariantCulture, $"$molt{i}$");
        }

        return $"{tag}\n{body}{tag}";
    }
}
