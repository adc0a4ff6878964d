using System.Text;

namespace MoltBeat.DR.Engine.Application;

/// <summary>
/// Variables of a .env file, to compare two of them by name. Takes what shells and the usual libraries take: <c>export</c>, quotes of
/// three kinds, values of several lines in quotes, comments, CRLF. What it cannot read as a variable it counts and never shows.
/// </summary>
internal static class DotEnv
{
    /// <summary>Longer ones are no variables' names, but more likely a piece of a key.</summary>
    private const int LongestName = 64;

    /// <returns>Values by name; of a name that is there twice the last. To be used in memory only.</returns>
    public static Dictionary<string, string> Parse(ReadOnlySpan<byte> content)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        var text = Encoding.UTF8.GetString(content).TrimStart('\uFEFF');
        for (var at = 0; at < text.Length;)
        {
            var end = EndOfLine(text, at);
            var line = text[at..end].Trim();
            var next = end + 1;
            if (line.StartsWith("-----BEGIN ", StringComparison.Ordinal))
            {
                // The lines of a key that nobody quoted are no variables, however much the last looks like one: base64 ends with =.
                var close = text.IndexOf("-----END ", end, StringComparison.Ordinal);
                at = close < 0 ? text.Length : EndOfLine(text, close) + 1;
                continue;
            }

            if (Name(line) is var (name, rest))
            {
                var start = at + text[at..end].IndexOf('=', StringComparison.Ordinal) + 1;
                if (rest.Length > 0 && rest[0] is '"' or '\'' or '`' && Quoted(text, start + text[start..].IndexOf(rest[0], StringComparison.Ordinal)) is var (value, after) && value is not null)
                {
                    variables[name] = value;
                    next = EndOfLine(text, after) + 1;
                }
                else
                {
                    variables[name] = Plain(rest);
                    next = AfterKey(text, rest, end) ?? next;
                }
            }

            at = next;
        }

        return variables;
    }

    private static (string Name, string Value)? Name(string line)
    {
        var equals = line.IndexOf('=', StringComparison.Ordinal);
        if (line.StartsWith('#') || equals <= 0)
        {
            return null;
        }

        var name = line[..equals].Trim();
        if (name.StartsWith("export", StringComparison.Ordinal) && name.Length > 7 && char.IsWhiteSpace(name[6]))
        {
            name = name[7..].Trim();
        }

        var rest = line[(equals + 1)..].TrimStart();
        return name.Length is > 0 and <= LongestName && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-') && !IsBase64(name, rest)
            ? (name, rest) : null;
    }

    /// <summary>A secret alone in its line may end as base64 does, and then looks like a name without a value.</summary>
    private static bool IsBase64(string name, string rest)
        => rest is "" or "=" && name.Length >= 10 && !name.Contains('_', StringComparison.Ordinal) && name.Any(char.IsAsciiLetterUpper) && name.Any(char.IsAsciiLetterLower);

    /// <summary>The value between quotes, and where the text goes on; null when nothing closes them.</summary>
    private static (string? Value, int After) Quoted(string text, int open)
    {
        var value = new StringBuilder();
        for (var i = open + 1; i < text.Length; i++)
        {
            if (text[i] == text[open])
            {
                return (value.ToString(), i + 1);
            }

            if (text[open] == '"' && text[i] == '\\' && i + 1 < text.Length)
            {
                value.Append(text[++i] switch { 'n' => "\n", 'r' => "\r", 't' => "\t", var other => other.ToString() });
            }
            else if (text[i] != '\r' || i + 1 >= text.Length || text[i + 1] != '\n')
            {
                value.Append(text[i]);
            }
        }

        return (null, 0);
    }

    private static string Plain(string rest)
    {
        var comment = rest.StartsWith('#') ? 0 : rest.IndexOf(" #", StringComparison.Ordinal);
        return (comment < 0 ? rest : rest[..comment]).Trim();
    }

    /// <summary>A key that begins in the line of its variable, without quotes, goes on until its own end.</summary>
    private static int? AfterKey(string text, string rest, int end)
        => rest.StartsWith("-----BEGIN ", StringComparison.Ordinal) && !rest.Contains("-----END ", StringComparison.Ordinal)
            && text.IndexOf("-----END ", end, StringComparison.Ordinal) is >= 0 and var close ? EndOfLine(text, close) + 1 : null;

    private static int EndOfLine(string text, int from) => text.IndexOf('\n', Math.Min(from, text.Length)) is >= 0 and var end ? end : text.Length;
}
