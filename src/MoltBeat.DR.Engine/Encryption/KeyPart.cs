using Org.BouncyCastle.Bcpg.OpenPgp;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>A primary key or one of its subkeys, with what valid signatures of the primary key say of it.</summary>
/// <param name="Key">The key.</param>
/// <param name="Bound">Whether a valid signature ties it to the primary key, or the primary key to a user.</param>
/// <param name="Expires">From when on it is not to be used; null for never.</param>
/// <param name="Revoked">Not null when a valid signature takes it back.</param>
/// <param name="CanEncrypt">Whether it is meant to encrypt.</param>
/// <param name="CanSign">Whether it is meant to sign, and, being a subkey, has itself signed that it belongs to the primary key.</param>
internal sealed record KeyPart(PgpPublicKey Key, bool Bound, DateTimeOffset? Expires, KeyRevocation? Revoked, bool CanEncrypt, bool CanSign)
{
    public DateTimeOffset Created => new(DateTime.SpecifyKind(Key.CreationTime, DateTimeKind.Utc));

    public string Fingerprint => Convert.ToHexString(Key.GetFingerprint());

    public string KeyId => Key.KeyId.ToString("X16", System.Globalization.CultureInfo.InvariantCulture);

    public bool ExpiredAt(DateTimeOffset time) => Expires <= time;
}
