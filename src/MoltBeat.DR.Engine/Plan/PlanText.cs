using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>Tells secrets that somebody wrote into a plan. Errs on the side of a refusal: no plan needs what it takes for one.</summary>
internal static partial class PlanText
{
    /// <summary>What kind of secret a text seems to hold, for a message; null for none.</summary>
    /// <param name="name">Of the property whose value it is.</param>
    /// <param name="value">The value.</param>
    public static string? SecretIn(string name, string value)
    {
        if (SecretName().IsMatch(name) && value.Length > 0 && SecretReference.From(value) is null)
        {
            return "a secret";
        }

        // Once more with the percent-encoding undone: libpq undoes it too, even in keywords.
        return new[] { value, Uri.UnescapeDataString(value) }.Any(HoldsPassword) ? "a password" : null;
    }

    private static bool HoldsPassword(string text) => UserInfo().IsMatch(text) || Keyword().IsMatch(text);

    // In order: what libpq takes for a password (all between a colon and an @ before the first slash); one in which a
    // slash stands unencoded; one in which a question mark does, told from a port by not being a number.
    [GeneratedRegex(@"://[^/@]*:[^/@]+@|://[^/?@]*:[^?@]+@|://[^/?@,:\[]*:(?![0-9]*[/,?])[^@]+@")]
    private static partial Regex UserInfo();

    [GeneratedRegex(@"(?:^|[\s?&;])(?:ssl)?(?:password|passwd|passphrase|secret|secret_?(?:access_?)?key|(?:session_?|access_?)?token|access_?key(?:_?id)?)\s*=\s*[^\s&;]", RegexOptions.IgnoreCase)]
    private static partial Regex Keyword();

    [GeneratedRegex(@"(?:password|passphrase|secret|token|apikey|accesskey|routingkey)$", RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();
}
