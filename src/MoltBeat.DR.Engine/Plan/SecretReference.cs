namespace MoltBeat.DR.Engine.Plan;

/// <summary>Where a secret is kept.</summary>
public enum SecretPlace
{
    /// <summary>A variable of the process's environment: <c>env:NAME</c>.</summary>
    Variable,

    /// <summary>A file whose whole content it is, but for a line end behind it: <c>file:/absolute/path</c>.</summary>
    File,

    /// <summary>A vault of PowerShell's SecretManagement: <c>secret:NAME</c>.</summary>
    Vault,
}

/// <summary>Names a secret without holding it.</summary>
/// <param name="Place">Where it is kept.</param>
/// <param name="Name">Variable, absolute path, or name in the vault.</param>
public sealed record SecretReference(SecretPlace Place, string Name)
{
    private static readonly (string Prefix, SecretPlace Place)[] s_prefixes =
        [("env:", SecretPlace.Variable), ("file:", SecretPlace.File), ("secret:", SecretPlace.Vault)];

    /// <summary>The reference that a plan's text is; null for a text that stands for itself.</summary>
    public static SecretReference? From(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var (prefix, place) = s_prefixes.FirstOrDefault(p => text.StartsWith(p.Prefix, StringComparison.Ordinal));
        return prefix is null ? null : new SecretReference(place, text[prefix.Length..]);
    }

    /// <summary>Why the name can't be one, as the end of a sentence; null when it can.</summary>
    internal string? Flaw => Place switch
    {
        _ when Name.Length == 0 || Name.Any(char.IsControl) => "names nothing",
        SecretPlace.Variable when Name.Contains('=', StringComparison.Ordinal) => "is no name of a variable",
        SecretPlace.File when !Path.IsPathFullyQualified(Name) => "needs an absolute path",
        _ => null,
    };

    public override string ToString() => s_prefixes.First(p => p.Place == Place).Prefix + Name;
}
