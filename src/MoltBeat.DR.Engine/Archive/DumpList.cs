using System.Globalization;
using System.Text.RegularExpressions;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>One line of <c>pg_restore --list</c>.</summary>
/// <param name="Line">The whole line, as pg_restore's --use-list takes it.</param>
/// <param name="Catalog">Oid of the catalog the object is in; 0 for what is in none.</param>
/// <param name="Oid">The object's oid.</param>
/// <param name="Kind">TABLE, INDEX, FK CONSTRAINT, …</param>
/// <param name="Rest">Schema, name and owner, separated by blanks that names may hold too.</param>
public sealed record DumpEntry(string Line, uint Catalog, uint Oid, string Kind, string Rest)
{
    /// <summary>Its number in the dump.</summary>
    public int Id { get; init; }

    /// <summary>Numbers of the entries that it needs.</summary>
    public IReadOnlyList<int> DependsOn { get; init; } = [];
}

/// <summary>The table of contents of <c>database.dump</c>.</summary>
public sealed partial record DumpList(IReadOnlyList<DumpEntry> Entries)
{
    /// <summary>The longest kinds first: TABLE DATA must not be taken for TABLE.</summary>
    private static readonly string[] Kinds =
    [
        "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY", "MATERIALIZED VIEW DATA", "FOREIGN DATA WRAPPER", "TEXT SEARCH TEMPLATE", "PUBLICATION TABLES IN SCHEMA",
        "DATABASE PROPERTIES", "TEXT SEARCH PARSER", "SUBSCRIPTION TABLE", "PROCEDURAL LANGUAGE", "PUBLICATION TABLE", "MATERIALIZED VIEW", "STATISTICS DATA", "SEQUENCE OWNED BY",
        "OPERATOR FAMILY", "CHECK CONSTRAINT", "OPERATOR CLASS", "SECURITY LABEL", "FK CONSTRAINT", "FOREIGN TABLE", "EVENT TRIGGER", "USER MAPPING", "ACCESS METHOD", "BLOB METADATA",
        "BLOB COMMENTS", "ROW SECURITY", "INDEX ATTACH", "TABLE ATTACH", "SEQUENCE SET", "LARGE OBJECT", "DEFAULT ACL", "SUBSCRIPTION", "SHELL TYPE", "TABLE DATA", "PUBLICATION",
        "STATISTICS", "CONSTRAINT", "CONVERSION", "EXTENSION", "AGGREGATE", "TRANSFORM", "PROCEDURE", "COLLATION", "OPERATOR", "FUNCTION", "SEQUENCE", "ENCODING", "SEARCHPATH", "STDSTRINGS",
        "DATABASE", "COMMENT", "DEFAULT", "TRIGGER", "DOMAIN", "SCHEMA", "SERVER", "POLICY", "BLOBS", "INDEX", "TABLE", "BLOB", "CAST", "RULE", "TYPE", "VIEW", "ACL",
    ];

    private const string Dependencies = ";\tdepends on:";
    private const int LongestList = 1 << 28;

    /// <exception cref="MoltException"><c>ChildProgramFailed</c> when pg_restore cannot read the dump.</exception>
    public static async Task<DumpList> ReadAsync(ClientTools tools, DumpFile dump, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var text = await dump.RunAsync(tools, ["--list", "--verbose"], new Dictionary<string, string>(), observer, LongestList, cancellationToken).ConfigureAwait(false);
        var entries = new List<DumpEntry>();
        foreach (var line in text.Split('\n'))
        {
            if (Form().Match(line) is { Success: true } match)
            {
                var rest = match.Groups["rest"].Value;
                var kind = Kinds.FirstOrDefault(k => rest.StartsWith(k + " ", StringComparison.Ordinal) || rest == k) ?? rest.Split(' ')[0];
                entries.Add(new DumpEntry(line, Number(match, "catalog"), Number(match, "oid"), kind, rest[Math.Min(rest.Length, kind.Length + 1)..]) { Id = (int)Number(match, "id") });
            }
            else if (line.StartsWith(Dependencies, StringComparison.Ordinal) && entries.Count > 0)
            {
                entries[^1] = entries[^1] with { DependsOn = line[Dependencies.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(id => int.Parse(id, CultureInfo.InvariantCulture)).ToList() };
            }
        }

        return new DumpList(entries);
    }

    private static uint Number(Match match, string group) => uint.TryParse(match.Groups[group].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    [GeneratedRegex(@"\A(?<id>[0-9]+); (?<catalog>[0-9]+) (?<oid>[0-9]+) (?<rest>.+)\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
