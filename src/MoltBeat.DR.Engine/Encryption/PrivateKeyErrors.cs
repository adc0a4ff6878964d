namespace MoltBeat.DR.Engine.Encryption;

/// <summary>The errors of private keys, wherever they are kept.</summary>
internal static class PrivateKeyErrors
{
    /// <param name="packets">Who could open it.</param>
    /// <param name="member">What is to be opened.</param>
    /// <param name="where">Where the private key was looked for.</param>
    public static MoltException Missing(IReadOnlyList<SessionKeyPacket> packets, string member, string where)
        => new("PrivateKeyMissing", ErrorKind.NotFound,
            packets.Count == 0
                ? $"{member} is encrypted to no public key."
                : $"{member} is encrypted to {string.Join(", ", packets.Select(p => p.KeyId == 0 ? "a key that is not told" : p.KeyIdText))}; {where} has no private key of those.",
            "Give the private key of one of the recipients.", member);

    public static MoltException PassphraseMissing(string key, string where)
        => new("PassphraseMissing", ErrorKind.AuthenticationFailed, $"The private key {key} in {where} is locked, and no passphrase was given.",
            "Give its passphrase.", key);

    public static MoltException PassphraseWrong(string key, string where)
        => new("PassphraseWrong", ErrorKind.AuthenticationFailed, $"The passphrase does not open the private key {key} in {where}.",
            "Give the passphrase of that key.", key);
}
