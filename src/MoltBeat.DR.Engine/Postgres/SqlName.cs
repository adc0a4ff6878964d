using System.Globalization;
using System.Text;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Quoting of SQL names and strings. Names are always quoted: then no list of keywords is needed.</summary>
public static class SqlName
{
    public static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    public static string Quote(string schema, string name) => Quote(schema) + "." + Quote(name);

    /// <summary>
    /// For a session whose client_encoding is the database's own, while the driver writes UTF-8: letters beyond ASCII are
    /// spelt with escapes, which the server turns into its encoding.
    /// </summary>
    /// <param name="encoding">The database's encoding.</param>
    /// <param name="name">The name; of an SQL_ASCII database as <see cref="ByteText"/> has it.</param>
    public static string QuoteIn(string encoding, string name)
    {
        // In SQL_ASCII the chars are the name's bytes already.
        if (encoding is "UTF8" or "SQL_ASCII" || Ascii.IsValid(name))
        {
            return Quote(name);
        }

        var escaped = new StringBuilder("U&\"");
        foreach (var rune in name.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' => escaped.Append("\"\""),
                '\\' => escaped.Append("\\\\"),
                < 0x80 => escaped.Append((char)rune.Value),
                _ => escaped.Append(CultureInfo.InvariantCulture, $"\\+{rune.Value:x6}"),
            };
        }

        return escaped.Append('"').ToString();
    }

    public static string QuoteIn(string encoding, string schema, string name) => QuoteIn(encoding, schema) + "." + QuoteIn(encoding, name);

    /// <summary>A string constant that means the same whatever <c>standard_conforming_strings</c> says.</summary>
    public static string Literal(string value)
    {
        var quoted = "'" + value.Replace("'", "''", StringComparison.Ordinal) + "'";
        return value.Contains('\\', StringComparison.Ordinal) ? " E" + quoted.Replace("\\", "\\\\", StringComparison.Ordinal) : quoted;
    }
}
