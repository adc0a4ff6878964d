namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Takes a password out of text that others wrote. PostgreSQL's programs print none; this is for the day when one does.
/// </summary>
internal sealed class SecretRedactor(IReadOnlyList<string> secrets)
{
    /// <summary>Shorter ones stand in too many ordinary words: hiding them would spoil every message, and tell them by it.</summary>
    private const int ShortestSecret = 4;

    /// <summary>For a child program's connection.</summary>
    public static SecretRedactor For(IReadOnlyDictionary<string, string> environment)
    {
        if (!environment.TryGetValue("PGPASSWORD", out string? password) || password.Length < ShortestSecret)
            return new([]);
        // A password that is also the name of the role or database would be told by its absence.
        if (environment.Any(variable => variable.Key != "PGPASSWORD" && variable.Value == password))
            return new([]);
        string encoded = Uri.EscapeDataString(password);
        return new(encoded == password ? [password] : [password, encoded]);
    }

    public string Redact(string text)
    {
        foreach (string secret in secrets)
            text = text.Replace(secret, "***", StringComparison.Ordinal);
        return text;
    }
}
