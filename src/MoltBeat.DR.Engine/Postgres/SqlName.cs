namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Quoting of SQL names and strings. Names are always quoted: then no list of keywords is needed.</summary>
public static class SqlName
{
    public static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    public static string Quote(string schema, string name) => Quote(schema) + "." + Quote(name);

    /// <summary>A string constant that means the same whatever <c>standard_conforming_strings</c> says.</summary>
    public static string Literal(string value)
    {
        var quoted = "'" + value.Replace("'", "''", StringComparison.Ordinal) + "'";
        return value.Contains('\\', StringComparison.Ordinal) ? " E" + quoted.Replace("\\", "\\\\", StringComparison.Ordinal) : quoted;
    }
}
