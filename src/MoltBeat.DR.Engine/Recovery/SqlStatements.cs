using System.Text;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>Splits what pg_dumpall writes into statements: strings and quoted names may hold semicolons and newlines.</summary>
internal static class SqlStatements
{
    public static IEnumerable<string> Split(string sql)
    {
        var statement = new StringBuilder();
        for (var i = 0; i < sql.Length; i++)
        {
            var c = sql[i];
            if (c == '-' && i + 1 < sql.Length && sql[i + 1] == '-')
            {
                i = sql.IndexOf('\n', i) is var end and >= 0 ? end : sql.Length;
                continue;
            }

            if (c is '\'' or '"')
            {
                var start = i;
                var escapes = c == '\'' && start > 0 && sql[start - 1] is 'E' or 'e';
                for (i++; i < sql.Length && sql[i] != c; i++)
                {
                    if (escapes && sql[i] == '\\')
                    {
                        i++;
                    }
                }

                statement.Append(sql, start, Math.Min(i + 1, sql.Length) - start);
                continue;
            }

            if (c == ';')
            {
                if (statement.ToString().Trim() is { Length: > 0 } text)
                {
                    yield return text;
                }

                statement.Clear();
                continue;
            }

            statement.Append(c);
        }
    }

    /// <summary>Reads the name at the start of a text, quoted or not, and what follows it.</summary>
    public static (string Name, string Remainder)? Name(string text)
    {
        if (text.Length == 0)
        {
            return null;
        }

        if (text[0] != '"')
        {
            var end = text.IndexOf(' ', StringComparison.Ordinal);
            return end < 0 ? (text, "") : (text[..end], text[(end + 1)..]);
        }

        var name = new StringBuilder();
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] != '"')
            {
                name.Append(text[i]);
            }
            else if (i + 1 < text.Length && text[i + 1] == '"')
            {
                name.Append('"');
                i++;
            }
            else
            {
                return (name.ToString(), text[(i + 1)..].TrimStart());
            }
        }

        return null;
    }
}
