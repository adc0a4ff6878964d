using System.Text;
using System.Text.RegularExpressions;
using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Names of tables as people give them, and as pg_dump takes them.</summary>
public static class TablePatterns
{
    /// <summary>Picks the tables that match any pattern. Upper and lower case matter, as PostgreSQL stores the names.</summary>
    /// <param name="patterns"><c>name</c> or <c>schema.name</c>, with * and ?.</param>
    /// <param name="tables">The tables to choose from.</param>
    /// <param name="parameter">The parameter's name, for the error.</param>
    /// <param name="name">Schema and name of one.</param>
    /// <exception cref="MoltException"><c>TableNotFound</c> when a pattern matches nothing: a misspelt name must not pass.</exception>
    public static List<T> Select<T>(IReadOnlyList<string> patterns, IReadOnlyCollection<T> tables, string parameter, Func<T, (string Schema, string Name)> name)
    {
        var selected = new List<T>();
        foreach (var pattern in patterns)
        {
            var regex = Form(pattern);
            var found = tables.Where(t => regex.IsMatch($"{name(t).Schema}.{name(t).Name}") || regex.IsMatch(name(t).Name)).ToList();
            if (found.Count == 0)
            {
                throw new MoltException("TableNotFound", ErrorKind.NotFound, $"-{parameter} {pattern} matches no table.",
                    "Name tables as name or schema.name, in the case in which PostgreSQL keeps them; * and ? are wildcards.", pattern);
            }

            selected.AddRange(found);
        }

        return selected.Distinct().ToList();
    }

    /// <summary>Whether a table matches any pattern of <see cref="Select"/>'s.</summary>
    /// <param name="patterns">The patterns.</param>
    /// <param name="encoding">The database's encoding.</param>
    /// <param name="schema">The table's schema.</param>
    /// <param name="name">The table.</param>
    public static bool Matches(IReadOnlyList<string> patterns, string encoding, string schema, string name)
        => patterns.Count > 0 && patterns.Any(p => Form(p) is var form && (form.IsMatch(ByteText.Shown($"{schema}.{name}", encoding)) || form.IsMatch(ByteText.Shown(name, encoding))));

    private static Regex Form(string pattern)
        => new("\\A" + Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal) + "\\z",
            RegexOptions.CultureInvariant | RegexOptions.Singleline);

    /// <summary>
    /// Patterns that match exactly these tables, in the language of pg_dump's --exclude-table-data: everything in double
    /// quotes is literal, and outside of them is a regular expression. pg_dump takes its arguments to be in the
    /// database's encoding, while we can give UTF-8 only: in other databases the server is asked for each letter beyond
    /// ASCII, which is then given by its number.
    /// </summary>
    /// <param name="connection">A session of the database that is dumped.</param>
    /// <param name="encoding">The database's encoding.</param>
    /// <param name="tables">The tables.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    public static async Task<List<string>> ForPgDumpAsync(NpgsqlConnection connection, string encoding, IEnumerable<SourceTable> tables, CancellationToken cancellationToken)
    {
        var chosen = tables.ToList();
        var numbers = new Dictionary<string, string>(StringComparer.Ordinal);
        if (encoding != "UTF8")
        {
            var letters = chosen.SelectMany(t => new[] { t.Schema, t.Name }).Where(n => !Ascii.IsValid(n)).SelectMany(n => n.EnumerateRunes())
                .Where(r => !r.IsAscii).Distinct().Select(r => SqlName.Literal(r.ToString())).ToList();
            if (letters.Count > 0)
            {
                await DatabaseCatalog.ReadAsync(connection,
                    $"SELECT l, encode(convert_to(l, getdatabaseencoding()::name), 'hex') FROM unnest(ARRAY[{string.Join(", ", letters)}]) l",
                    row => numbers.Add(row.GetString(0), row.GetString(1)), cancellationToken).ConfigureAwait(false);
            }
        }

        // One each: pg_dump asks the server for every pattern, which finds a literal name by index. Alternatives, (a|b|…), it
        // compiles: 5,000 names took 2 s one by one, 6 s by twenties and 80 s by two hundreds.
        return chosen.ConvertAll(t => $"{Literal(t.Schema, numbers)}.{Literal(t.Name, numbers)}");
    }

    private static string Literal(string name, Dictionary<string, string> numbers)
    {
        if (numbers.Count == 0 || Ascii.IsValid(name))
        {
            return SqlName.Quote(name);
        }

        var pattern = new StringBuilder();
        var quoted = new StringBuilder();
        foreach (var rune in name.EnumerateRunes())
        {
            if (rune.IsAscii)
            {
                quoted.Append(rune);
                continue;
            }

            if (quoted.Length > 0)
            {
                pattern.Append(SqlName.Quote(quoted.ToString()));
                quoted.Clear();
            }

            // A letter's number in the server's regular expressions is its bytes in order.
            var number = numbers[rune.ToString()];
            pattern.Append(number.Length <= 4 ? "\\u" + number.PadLeft(4, '0') : "\\U" + number.PadLeft(8, '0'));
        }

        return quoted.Length > 0 ? pattern.Append(SqlName.Quote(quoted.ToString())).ToString() : pattern.ToString();
    }
}
