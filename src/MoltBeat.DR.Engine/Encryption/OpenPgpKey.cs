using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>
/// A public key with its subkeys, judged as GnuPG judges it: only what the primary key has validly signed counts, the
/// newest signature of a kind is the one in force, and a revocation is for ever.
/// </summary>
public sealed class OpenPgpKey
{
    private const int EncryptionFlags = PgpKeyFlags.CanEncryptCommunications | PgpKeyFlags.CanEncryptStorage;

    // A maker's clock may be a little ahead of ours.
    private static readonly TimeSpan s_clockSlack = TimeSpan.FromDays(1);

    private readonly DateTimeOffset now;

    internal OpenPgpKey(PgpPublicKeyRing ring, string origin, DateTimeOffset now)
        : this([.. ring.GetPublicKeys()], origin, now)
    {
    }

    private OpenPgpKey(List<PgpPublicKey> keys, string origin, DateTimeOffset now)
    {
        this.now = now;
        Origin = origin;
        var primary = keys[0];
        var own = primary.GetKeySignatures().ToList();
        var direct = Newest(own.Where(s => s.SignatureType == PgpSignature.DirectKey), s => VerifyDirect(s, primary), primary);
        List<(string Id, PgpSignature Signature)> users = [];
        foreach (var id in primary.GetUserIds())
        {
            var about = (primary.GetSignaturesForId(id) ?? []).ToList();
            var certification = Newest(about.Where(s => s.IsCertification()), s => s.VerifyCertification(id, primary), primary);
            var taken = Newest(about.Where(s => s.SignatureType == PgpSignature.CertificationRevocation), s => s.VerifyCertification(id, primary), primary);
            if (certification is not null && !(taken?.CreationTime >= certification.CreationTime))
            {
                users.Add((id, certification));
            }
        }

        var certified = users.Select(u => u.Signature).OrderByDescending(s => s.CreationTime).FirstOrDefault();
        UserIds = [.. users.OrderByDescending(u => u.Signature.GetHashedSubPackets()?.IsPrimaryUserId() == true).ThenByDescending(u => u.Signature.CreationTime).Select(u => Shown(u.Id))];
        var flags = Flags(direct) ?? Flags(certified);
        Primary = new KeyPart(
            primary,
            Bound: certified is not null,
            Expiry(primary, direct) ?? Expiry(primary, certified),
            Revocation(own.Where(s => s.SignatureType == PgpSignature.KeyRevocation), s => s.VerifyCertification(primary), primary)
                ?? ByOthers(own, direct),
            CanEncrypt: flags is { } e ? (e & EncryptionFlags) != 0 : primary.IsEncryptionKey,
            CanSign: flags is { } f ? (f & PgpKeyFlags.CanSign) != 0 : true);
        Subkeys = [.. keys.Skip(1).Select(subkey => Judge(primary, subkey))];
    }

    /// <summary>The public half of a private key.</summary>
    internal static OpenPgpKey OfPrivate(PgpSecretKeyRing ring, string origin, DateTimeOffset now)
        => new([.. ring.GetSecretKeys().Select(k => k.PublicKey), .. ring.GetExtraPublicKeys()], origin, now);

    /// <summary>Of the primary key: upper-case hexadecimal.</summary>
    public string Fingerprint => Primary.Fingerprint;

    /// <summary>Who the key belongs to, by its own word; the one to show first.</summary>
    public IReadOnlyList<string> UserIds { get; }

    public DateTimeOffset Created => Primary.Created;

    /// <summary>When the primary key expires, and with it all of them; null for never.</summary>
    public DateTimeOffset? Expires => Primary.Expires;

    /// <summary>When nothing more can be encrypted to it: the key's own expiry, or that of its last subkey that encrypts; null for never.</summary>
    public DateTimeOffset? EncryptionExpires
    {
        get
        {
            var parts = Subkeys.Where(s => s is { Bound: true, CanEncrypt: true, Revoked: null }).ToList();
            var last = parts.Count > 0 && parts.TrueForAll(p => p.Expires is not null) ? parts.Max(p => p.Expires) : null;
            return last < Expires || Expires is null ? last : Expires;
        }
    }

    public bool IsRevoked => Primary.Revoked is not null;

    /// <summary>Where it was read from: a path, or what was looked up in the keyring.</summary>
    public string Origin { get; }

    internal KeyPart Primary { get; }

    internal IReadOnlyList<KeyPart> Subkeys { get; }

    internal IEnumerable<KeyPart> Parts => Subkeys.Prepend(Primary);

    private string Name => UserIds.Count > 0 ? $"{Fingerprint} ({UserIds[0]})" : Fingerprint;

    /// <summary>The key to encrypt to now, chosen as GnuPG does: the newest usable subkey, and else the primary key.</summary>
    /// <exception cref="MoltException"><c>KeyInvalid</c>, <c>KeyRevoked</c>, <c>KeyExpired</c>, <c>KeyCannotEncrypt</c>, <c>KeyAlgorithmNotSupported</c>.</exception>
    internal KeyPart EncryptionPart()
    {
        CheckPrimary();
        var meant = Subkeys.OrderByDescending(s => s.Created).Append(Primary).Where(p => p is { Bound: true, CanEncrypt: true }).ToList();
        if (meant.Find(p => p.Revoked is null && !p.ExpiredAt(now) && SessionKeyPacket.Knows(p.Key, out _)) is { } usable)
        {
            return usable;
        }

        if (meant.Count == 0)
        {
            throw Refused("KeyCannotEncrypt", ErrorKind.InvalidArgument, "it has no key that is meant to encrypt, only to sign or to certify",
                "Add a subkey to it: gpg --quick-add-key FINGERPRINT cv25519 encr. Or use another key.");
        }

        throw Unusable(meant[0], SessionKeyPacket.Knows(meant[0].Key, out var kind) ? null : kind);
    }

    /// <summary>The keys that may sign now, newest subkey first.</summary>
    /// <exception cref="MoltException"><c>KeyInvalid</c>, <c>KeyRevoked</c>, <c>KeyExpired</c>, <c>KeyCannotSign</c>.</exception>
    internal IReadOnlyList<KeyPart> SigningParts()
    {
        CheckPrimary();
        var meant = Subkeys.OrderByDescending(s => s.Created).Append(Primary).Where(p => p is { Bound: true, CanSign: true }).ToList();
        if (meant.Count == 0)
        {
            throw Refused("KeyCannotSign", ErrorKind.InvalidArgument, "it has no key that is meant to sign", "Use a key that is: gpg --quick-add-key FINGERPRINT ed25519 sign.");
        }

        List<KeyPart> usable = [.. meant.Where(p => p.Revoked is null && !p.ExpiredAt(now))];
        return usable.Count > 0 ? usable : throw Unusable(meant[0], null);
    }

    private void CheckPrimary()
    {
        if (Primary.Key.Version != 4)
        {
            throw Refused("KeyAlgorithmNotSupported", ErrorKind.NotSupported, $"it is of OpenPGP's key version {Primary.Key.Version}; GnuPG 2.2 and this module use version 4", "Use a key that GnuPG 2.2 can make.");
        }

        // First: a revoked key often says nothing else that is valid any more.
        if (Primary.Revoked is not null)
        {
            throw Unusable(Primary, null);
        }

        if (!Primary.Bound)
        {
            throw Refused("KeyInvalid", ErrorKind.InvalidData, "it has no user id that it has validly signed itself", "Export it anew from where it was made.");
        }

        if (Primary.ExpiredAt(now))
        {
            throw Unusable(Primary, null);
        }
    }

    private MoltException Unusable(KeyPart part, string? unknownKind)
    {
        var subkey = ReferenceEquals(part, Primary) ? "" : $" of its subkey {part.Fingerprint}";
        if (part.Revoked is { } revoked)
        {
            return Refused("KeyRevoked", ErrorKind.InvalidArgument, Text($"its owner took it back on {revoked.Time.UtcDateTime:yyyy-MM-dd}", subkey), "Use the owner's new key.");
        }

        return part.ExpiredAt(now)
            ? Refused("KeyExpired", ErrorKind.InvalidArgument, Text($"it expired on {part.Expires!.Value.UtcDateTime:yyyy-MM-dd}", subkey),
                "Ask its owner to prolong it (gpg --quick-set-expire FINGERPRINT 2y, and once more with the subkey's fingerprint behind it) and export it anew, or use another key.")
            : Refused("KeyAlgorithmNotSupported", ErrorKind.NotSupported, Text($"its algorithm is {unknownKind}", subkey), "Use RSA with 2048 bits or more, Curve25519 or a NIST curve.");

        static string Text(FormattableString what, string of) => FormattableString.Invariant(what) + (of.Length > 0 ? $"; that is said{of}" : "");
    }

    private MoltException Refused(string id, ErrorKind kind, string why, string remedy)
        => new(id, kind, $"The key {Name} from {Origin} is refused: {why}.", remedy, Fingerprint);

    private KeyPart Judge(PgpPublicKey primary, PgpPublicKey subkey)
    {
        var signatures = subkey.GetKeySignatures().ToList();
        var binding = Newest(signatures.Where(s => s.SignatureType == PgpSignature.SubkeyBinding), s => s.VerifyCertification(primary, subkey), primary);
        var flags = Flags(binding);
        return new KeyPart(
            subkey,
            Bound: binding is not null,
            Expiry(subkey, binding),
            Revocation(signatures.Where(s => s.SignatureType == PgpSignature.SubkeyRevocation), s => s.VerifyCertification(primary, subkey), primary),
            CanEncrypt: flags is { } e ? (e & EncryptionFlags) != 0 : subkey.IsEncryptionKey,
            CanSign: (flags is { } f ? (f & PgpKeyFlags.CanSign) != 0 : !subkey.IsEncryptionKey) && IsSignedBack(binding, primary, subkey));
    }

    /// <summary>Without the subkey's own word, anybody could tie another's signing key to his own, and with it what it has signed.</summary>
    private static bool IsSignedBack(PgpSignature? binding, PgpPublicKey primary, PgpPublicKey subkey)
    {
        if (binding is null)
        {
            return false;
        }

        foreach (var packets in new[] { binding.GetHashedSubPackets(), binding.GetUnhashedSubPackets() })
        {
            foreach (var back in Tried(() => Each(packets?.GetEmbeddedSignatures())) ?? [])
            {
                if (back.SignatureType == PgpSignature.PrimaryKeyBinding && IsValid(back, s => s.VerifyCertification(primary, subkey), subkey))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static PgpSignature[] Each(PgpSignatureList? list) => list is null ? [] : [.. Enumerable.Range(0, list.Count).Select(i => list[i])];

    private PgpSignature? Newest(IEnumerable<PgpSignature> signatures, Func<PgpSignature, bool> verify, PgpPublicKey by)
        => signatures.OrderByDescending(s => s.CreationTime).FirstOrDefault(s => s.CreationTime <= (now + s_clockSlack).UtcDateTime && !HasEnded(s) && IsValid(s, verify, by));

    private bool HasEnded(PgpSignature signature)
        => signature.GetHashedSubPackets()?.GetSignatureExpirationTime() is > 0 and var seconds && signature.CreationTime.AddSeconds(seconds) <= now.UtcDateTime;

    private static bool IsValid(PgpSignature signature, Func<PgpSignature, bool> verify, PgpPublicKey by)
    {
        if (signature.HashAlgorithm is HashAlgorithmTag.MD5 or HashAlgorithmTag.MD2 or HashAlgorithmTag.RipeMD160
            || signature.GetHashedSubPackets()?.GetCriticalTags().All(t => Enum.IsDefined(t)) == false)
        {
            return false;
        }

        return Tried(() =>
        {
            signature.InitVerify(by);
            return (bool?)verify(signature);
        }) == true;
    }

    private static KeyRevocation? Revocation(IEnumerable<PgpSignature> signatures, Func<PgpSignature, bool> verify, PgpPublicKey by)
    {
        var valid = signatures.Where(s => IsValid(s, verify, by)).ToList();
        return valid.Count == 0 ? null : new KeyRevocation(valid.Min(Time), valid.TrueForAll(IsRetirement));
    }

    /// <summary>
    /// A revocation by somebody whom the owner named for it. That somebody's key is not at hand to verify it, and a key that
    /// may be taken back is not one to trust a backup to.
    /// </summary>
    private static KeyRevocation? ByOthers(IEnumerable<PgpSignature> signatures, PgpSignature? direct)
        => direct?.GetHashedSubPackets()?.GetRevocationKeys().Length > 0
            && signatures.FirstOrDefault(s => s.SignatureType == PgpSignature.KeyRevocation) is { } taken
            ? new KeyRevocation(Time(taken), Retired: false)
            : null;

    private static bool IsRetirement(PgpSignature signature)
        => Tried(() => signature.GetHashedSubPackets()?.GetRevocationReason())?.GetRevocationReason() is RevocationReasonTag.KeySuperseded or RevocationReasonTag.KeyRetired;

    private static DateTimeOffset Time(PgpSignature signature) => new(DateTime.SpecifyKind(signature.CreationTime, DateTimeKind.Utc));

    // The library has no name for a signature over the bare key, which hashes like the revocation of one.
    private static bool VerifyDirect(PgpSignature signature, PgpPublicKey primary)
    {
        var content = primary.PublicKeyPacket.GetEncodedContents();
        signature.Update(0x99, (byte)(content.Length >> 8), (byte)content.Length);
        signature.Update(content);
        return signature.Verify();
    }

    private static int? Flags(PgpSignature? signature)
        => signature?.GetHashedSubPackets() is { } packets && packets.HasSubpacket(SignatureSubpacketTag.KeyFlags) ? packets.GetKeyFlags() : null;

    private static DateTimeOffset? Expiry(PgpPublicKey key, PgpSignature? signature)
        => signature?.GetHashedSubPackets()?.GetKeyExpirationTime() is > 0 and var seconds
            ? new DateTimeOffset(DateTime.SpecifyKind(key.CreationTime, DateTimeKind.Utc)).AddSeconds(seconds)
            : null;

    /// <summary>The library throws many things at bytes that are not as they should be: then there is no such thing.</summary>
    private static T? Tried<T>(Func<T?> ask)
    {
        try
        {
            return ask();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return default;
        }
    }

    private static string Shown(string userId) => new([.. userId.Take(200).Select(c => char.IsControl(c) ? '?' : c)]);
}
