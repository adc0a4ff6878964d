using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>What <c>globals.sql</c> says about chosen roles.</summary>
internal static partial class RoleScript
{
    /// <summary>The statements that make these roles as they were, memberships last.</summary>
    /// <param name="globals">Output of <c>pg_dumpall --globals-only</c>.</param>
    /// <param name="missing">Roles to make.</param>
    /// <param name="present">Roles that are there already.</param>
    /// <exception cref="MoltException"><c>RolesMissing</c> when it does not say how to make one.</exception>
    public static (List<string> Statements, List<string> Made) For(string globals, IReadOnlySet<string> missing, IReadOnlySet<string> present)
    {
        var statements = new List<string>();
        var memberships = new List<string>();
        var made = new List<string>();
        foreach (var statement in SqlStatements.Split(globals))
        {
            if (About(statement, "CREATE ROLE ") is { } created && missing.Contains(created))
            {
                made.Add(created);
                statements.Add(statement);
            }
            else if ((About(statement, "ALTER ROLE ") ?? About(statement, "COMMENT ON ROLE ")) is { } altered && missing.Contains(altered))
            {
                statements.Add(statement);
            }
            else if (Membership(statement) is { } grant && missing.Contains(grant.Member) && (missing.Contains(grant.Group) || present.Contains(grant.Group)))
            {
                // Who granted it may not be there; then whoever restores does.
                memberships.Add(GrantedBy().Replace(statement, ""));
            }
        }

        if (missing.Except(made).Order(StringComparer.Ordinal).ToList() is { Count: > 0 } unknown)
        {
            throw new MoltException("RolesMissing", ErrorKind.NotFound, $"The backup's globals do not say how to make {string.Join(", ", unknown)}.", "Create them by hand.", unknown);
        }

        statements.AddRange(memberships);
        return (statements, made);
    }

    private static string? About(string statement, string start)
        => statement.StartsWith(start, StringComparison.Ordinal) ? SqlStatements.Name(statement[start.Length..])?.Name : null;

    private static (string Group, string Member)? Membership(string statement)
        => statement.StartsWith("GRANT ", StringComparison.Ordinal) && SqlStatements.Name(statement["GRANT ".Length..]) is { } group
            && group.Remainder.StartsWith("TO ", StringComparison.Ordinal) && SqlStatements.Name(group.Remainder["TO ".Length..]) is { } member
            ? (group.Name, member.Name)
            : null;

    [GeneratedRegex(@"\sGRANTED BY\s.*\z", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex GrantedBy();
}
