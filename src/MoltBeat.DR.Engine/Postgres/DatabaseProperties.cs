using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>What <c>CREATE DATABASE</c> and <c>ALTER DATABASE</c> need to make its like.</summary>
public sealed record DatabaseProperties
{
    public required string Name { get; init; }

    public required string Owner { get; init; }

    /// <summary>PostgreSQL's name of the encoding, for example <c>UTF8</c>.</summary>
    public required string Encoding { get; init; }

    /// <summary><c>c</c> libc, <c>i</c> ICU, <c>b</c> builtin; null before PostgreSQL 15.</summary>
    public string? LocaleProvider { get; init; }

    public required string Collate { get; init; }

    public required string CType { get; init; }

    /// <summary>ICU or builtin locale; null for libc.</summary>
    public string? Locale { get; init; }

    public string? IcuRules { get; init; }

    public string? Tablespace { get; init; }

    public int ConnectionLimit { get; init; } = -1;

    public bool IsTemplate { get; init; }

    public string? Comment { get; init; }

    /// <summary>Rights as <c>aclexplode</c> gives them; null for the default rights.</summary>
    public IReadOnlyList<Grant>? Grants { get; init; }

    public IReadOnlyList<DatabaseSetting> Settings { get; init; } = [];

    /// <summary>As seen from another database: what a session of an SQL_ASCII database gave as bytes, as text.</summary>
    internal DatabaseProperties Shared()
    {
        string Shown(string text) => ByteText.Shown(text, Encoding);
        return this with
        {
            Name = Shown(Name),
            Owner = Shown(Owner),
            Tablespace = Tablespace is null ? null : Shown(Tablespace),
            Comment = Comment is null ? null : Shown(Comment),
            Grants = Grants?.Select(g => g with { Grantee = Shown(g.Grantee) }).ToList(),
            Settings = Settings.Select(s => new DatabaseSetting(s.Role is null ? null : Shown(s.Role), Shown(s.Name), Shown(s.Value))).ToList(),
        };
    }
}

/// <param name="Grantee">A role; empty for PUBLIC.</param>
/// <param name="Privilege">CONNECT, CREATE or TEMPORARY.</param>
/// <param name="Grantable">WITH GRANT OPTION.</param>
public sealed record Grant(string Grantee, string Privilege, bool Grantable);

/// <param name="Role">For <c>ALTER ROLE … IN DATABASE</c>; null for <c>ALTER DATABASE</c>.</param>
/// <param name="Name">The parameter.</param>
/// <param name="Value">As <c>pg_db_role_setting</c> holds it.</param>
public sealed record DatabaseSetting([property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Role, string Name, string Value);

/// <param name="Name">The role.</param>
/// <param name="Owns">It owns something, or is the role of default privileges.</param>
/// <param name="Granted">It is granted something.</param>
/// <param name="Policy">A row-level policy or a user mapping names it, which <c>--no-owner</c> does not leave out.</param>
public sealed record RoleUse(string Name, bool Owns, bool Granted, bool Policy);

public sealed record ExtensionUse(string Name, string Version, string Schema);
