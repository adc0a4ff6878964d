using System.Text;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Names of tables as people give them, and as pg_dump takes them.</summary>
public static class TablePatterns
{
    /// <summary>pg_dump gets one argument for this many names: a query each would take minutes for thousands of tables.</summary>
    private const int NamesPerArgument = 200;

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
            var regex = new Regex("\\A" + Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal) + "\\z",
                RegexOptions.CultureInvariant | RegexOptions.Singleline);
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

    /// <summary>
    /// Patterns that match exactly these tables, in the language of pg_dump's --exclude-table-data: everything in double
    /// quotes is literal, and (a|b) outside of them is a regular expression.
    /// </summary>
    public static IEnumerable<string> ForPgDump(IEnumerable<SourceTable> tables)
    {
        foreach (var schema in tables.GroupBy(t => t.Schema, StringComparer.Ordinal))
        {
            foreach (var chunk in schema.Chunk(NamesPerArgument))
            {
                var pattern = new StringBuilder(SqlName.Quote(schema.Key)).Append(".(");
                pattern.AppendJoin('|', chunk.Select(t => SqlName.Quote(t.Name)));
                yield return pattern.Append(')').ToString();
            }
        }
    }
}
