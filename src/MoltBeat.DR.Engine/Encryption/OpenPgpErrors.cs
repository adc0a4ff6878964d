namespace MoltBeat.DR.Engine.Encryption;

/// <summary>The errors that several classes of this folder have in common.</summary>
internal static class OpenPgpErrors
{
    public static MoltException NotSupported(string why, string? member = null)
        => new("EncryptionNotSupported", ErrorKind.NotSupported,
            member is null ? $"This message cannot be opened here: {why}." : $"{member} cannot be opened here: {why}.",
            "Decrypt it with gpg --decrypt, which may know more.", member);

    public static MoltException NotOpenPgp(string member, string why, Exception? inner = null)
        => new("MemberNotOpenPgp", ErrorKind.InvalidData, $"{member} is not a message encrypted with OpenPGP to a public key: {why}.",
            "Use another copy of this backup, or another backup.", member, inner);

    public static MoltException Tampered(string member, string why, Exception? inner = null)
        => new("MemberTampered", ErrorKind.InvalidData, $"{member} is not what was encrypted: {why}.",
            "Believe nothing of what was read from it. Use another copy of this backup, or another backup.", member, inner);

    public static MoltException KeyFile(string path, string why, Exception? inner = null)
        => new("KeyFileInvalid", ErrorKind.InvalidData, $"The key file {path} cannot be used: {why}.",
            "Export the key anew: gpg --armor --export FINGERPRINT for a public key, gpg --armor --export-secret-keys FINGERPRINT for a private one.", path, inner);
}
