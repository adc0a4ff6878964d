namespace MoltBeat.TestServers;

/// <summary>Quoting for SQL that cannot take parameters.</summary>
public static class Sql
{
    /// <summary>A quoted identifier.</summary>
    public static string Identifier(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>A quoted text, whatever <c>standard_conforming_strings</c> is.</summary>
    public static string Literal(string text) =>
        $"E'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'";
}
