using System.Text;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>Reads names, quoted or not, out of the statements that pg_dump writes.</summary>
internal static partial class DumpNames
{
    private const string Name = """("(?:[^"]|"")+"|[^\s;",()]+)""";

    /// <summary>The table and columns of <c>COPY … FROM stdin</c>; null when it is another statement.</summary>
    public static DumpTable? Copy(string statement, string? schemaInForce)
    {
        if (CopyForm().Match(statement) is not { Success: true } match)
        {
            return null;
        }

        var (first, second) = (Unquote(match.Groups["a"].Value), match.Groups["b"] is { Success: true } b ? Unquote(b.Value) : null);
        var columns = NameForm().Matches(match.Groups["columns"].Value).Select(m => Unquote(m.Value)).ToList();
        return second is null ? new DumpTable(schemaInForce ?? "", first, columns) : new DumpTable(first, second, columns);
    }

    /// <summary>The roles that a statement needs: (name, owns, granted, named whatever is left out).</summary>
    public static IEnumerable<(string Name, bool Owns, bool Granted, bool Policy)> Roles(string statement)
    {
        if (Owner().Match(statement) is { Success: true } owner)
        {
            yield return (Unquote(owner.Groups["role"].Value), true, false, false);
        }
        else if (Grant().Match(statement) is { Success: true } grant)
        {
            foreach (var role in NameForm().Matches(grant.Groups["roles"].Value).Select(m => m.Value).Where(r => r != "PUBLIC"))
            {
                yield return (Unquote(role), false, true, false);
            }
        }
        else if (DefaultRights().Match(statement) is { Success: true } rights)
        {
            yield return (Unquote(rights.Groups["role"].Value), true, false, false);
            if (rights.Groups["to"].Value is { Length: > 0 } to && to != "PUBLIC")
            {
                yield return (Unquote(to), false, true, false);
            }
        }
        else if (Policy().Match(statement) is { Success: true } policy)
        {
            foreach (var role in NameForm().Matches(policy.Groups["roles"].Value).Select(m => m.Value).Where(r => r is not ("PUBLIC" or "USING" or "WITH")))
            {
                yield return (Unquote(role), false, false, true);
            }
        }
        else if (Mapping().Match(statement) is { Success: true } mapping && mapping.Groups["role"].Value is not ("PUBLIC" or "public"))
        {
            yield return (Unquote(mapping.Groups["role"].Value), false, false, true);
        }
    }

    /// <summary>The extension that a statement makes; null when it makes none.</summary>
    public static (string Name, string Schema)? Extension(string statement)
        => ExtensionForm().Match(statement) is { Success: true } match ? (Unquote(match.Groups["name"].Value), match.Groups["schema"] is { Success: true } s ? Unquote(s.Value) : "") : null;

    /// <summary>The value of <c>SET name = value</c> or <c>SELECT pg_catalog.set_config('name', 'value', …)</c>; null when it sets another.</summary>
    public static string? Setting(string statement, string name)
    {
        var match = Regex.Match(statement, $@"^SET {name} = (?<v>.*)$|^SELECT pg_catalog\.set_config\('{name}', (?<v>'[^']*')", RegexOptions.CultureInvariant | RegexOptions.Singleline);
        return match.Success ? match.Groups["v"].Value.Trim().Trim('\'').Replace("''", "'", StringComparison.Ordinal) : null;
    }

    /// <summary>The first schema of a search_path.</summary>
    public static string? FirstSchema(string path) => NameForm().Match(path) is { Success: true } match ? Unquote(match.Value) : null;

    private static string Unquote(string name)
        => name.StartsWith('"') ? name[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal) : name;

    /// <summary>As text: UTF-8 where the bytes are that.</summary>
    public static string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return new UTF8Encoding(false, true).GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return Encoding.Latin1.GetString(bytes);
        }
    }

    [GeneratedRegex($@"^COPY (?:(?<a>{Name})\.(?<b>{Name})|(?<a>{Name}))\s*(?:\((?<columns>.*)\) )?\s*FROM stdin( WITH OIDS)?$", RegexOptions.CultureInvariant | RegexOptions.Singleline | RegexOptions.IgnoreCase)]
    private static partial Regex CopyForm();

    [GeneratedRegex(Name, RegexOptions.CultureInvariant)]
    private static partial Regex NameForm();

    [GeneratedRegex($@"^(?:ALTER\s.*\sOWNER TO|SET SESSION AUTHORIZATION|CREATE SCHEMA\s.*\sAUTHORIZATION) (?!DEFAULT$)(?<role>{Name})$", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex Owner();

    [GeneratedRegex($@"^(?:GRANT|REVOKE)\s.*\s(?:TO|FROM) (?<roles>{Name}(?:,\s*{Name})*?)(?: WITH GRANT OPTION)?(?: GRANTED BY {Name})?$", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex Grant();

    [GeneratedRegex($@"^ALTER DEFAULT PRIVILEGES FOR ROLE (?<role>{Name})(?:\s.*\s(?:TO|FROM) (?<to>{Name})(?: WITH GRANT OPTION)?)?$", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex DefaultRights();

    [GeneratedRegex($@"^CREATE POLICY\s.*?\sTO (?<roles>{Name}(?:,\s*{Name})*)", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex Policy();

    [GeneratedRegex($@"^CREATE USER MAPPING FOR (?<role>{Name})\s", RegexOptions.CultureInvariant)]
    private static partial Regex Mapping();

    [GeneratedRegex($@"^CREATE EXTENSION (?:IF NOT EXISTS )?(?<name>{Name})(?: WITH SCHEMA (?<schema>{Name}))?", RegexOptions.CultureInvariant)]
    private static partial Regex ExtensionForm();
}
