using MoltBeat.DR.Engine.Archive;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>A key that members can be encrypted to.</summary>
public sealed class RecipientKey
{
    internal RecipientKey(OpenPgpKey key)
    {
        var part = key.EncryptionPart();
        Key = key;
        EncryptionKey = part.Key;
        Info = new RecipientInfo(key.Fingerprint, part.KeyId);
        EncryptionFingerprint = part.Fingerprint;
        Expires = part.Expires < key.Expires || key.Expires is null ? part.Expires : key.Expires;
    }

    public OpenPgpKey Key { get; }

    public RecipientInfo Info { get; }

    /// <summary>Of the (sub)key that is encrypted to: upper-case hexadecimal.</summary>
    public string EncryptionFingerprint { get; }

    /// <summary>From when on nothing more can be encrypted to it: the earlier of the key's own and its subkey's; null for never.</summary>
    public DateTimeOffset? Expires { get; }

    internal PgpPublicKey EncryptionKey { get; }
}
