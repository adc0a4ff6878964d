using System.Globalization;
using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Believes those signatures of manifests only that keys made which are trusted for it.</summary>
public sealed class OpenPgpVerifier : IManifestVerifier
{
    private const int MostSignatures = 16;

    // The signer's clock may be a little ahead of ours.
    private static readonly TimeSpan s_clockSlack = TimeSpan.FromDays(1);

    private readonly IReadOnlyList<OpenPgpKey> trusted;
    private readonly TimeProvider clock;

    /// <param name="trusted">Whose signatures are believed: see <see cref="PublicKeys.FindAsync"/>. One that has expired still vouches for what it signed before.</param>
    /// <param name="clock">Says what time it is; null for the system's.</param>
    public OpenPgpVerifier(IReadOnlyList<OpenPgpKey> trusted, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(trusted);
        if (trusted.Count == 0)
        {
            throw new ArgumentException("Nobody's signature would be believed.", nameof(trusted));
        }

        this.trusted = trusted;
        this.clock = clock ?? TimeProvider.System;
    }

    public string Verify(ReadOnlyMemory<byte> manifest, ReadOnlyMemory<byte>? signature, string location)
    {
        if (signature is not { Length: > 0 } bytes)
        {
            throw new MoltException("SignatureMissing", ErrorKind.InvalidData, $"{location} is not signed.",
                "If it should be, somebody has replaced it: use another copy. If it is older than your signing, read it with the signers left out.", location);
        }

        MoltException? why = null;
        foreach (var candidate in Read(bytes.ToArray(), location))
        {
            try
            {
                return Check(candidate, manifest.Span, location);
            }
            catch (MoltException e)
            {
                // A wrong signature of a trusted key says more than one of somebody else.
                why = why is null || e.Id == "SignatureWrong" ? e : why;
            }
        }

        throw why ?? Wrong(location, "there is no signature in it");
    }

    private static List<PgpSignature> Read(byte[] bytes, string location)
    {
        List<PgpSignature> signatures = [];
        try
        {
            var packets = new PgpObjectFactory(bytes);
            while (packets.NextPgpObject() is { } item)
            {
                if (item is not PgpSignatureList list || list.Count + signatures.Count > MostSignatures)
                {
                    throw Wrong(location, "it holds something else than signatures");
                }

                for (var i = 0; i < list.Count; i++)
                {
                    signatures.Add(list[i]);
                }
            }
        }
        catch (Exception e) when (e is not (MoltException or OutOfMemoryException))
        {
            throw Wrong(location, "it cannot be read", e);
        }

        return signatures;
    }

    private string Check(PgpSignature signature, ReadOnlySpan<byte> manifest, string location)
    {
        var id = signature.KeyId;
        var found = (from key in trusted from part in key.Parts where part.Key.KeyId == id select (Key: key, Part: part)).FirstOrDefault();
        if (found.Part is null)
        {
            throw new MoltException("SignerNotTrusted", ErrorKind.PermissionDenied,
                string.Create(CultureInfo.InvariantCulture, $"{location} is signed by the key {id:X16}, which is not among the trusted signers ({string.Join(", ", trusted.Select(k => k.Fingerprint))})."),
                "If that key is one of yours, add it to the trusted signers. If not, somebody else has made this backup: use another copy.", location);
        }

        if (!IsGenuine(signature, found.Part.Key, manifest))
        {
            throw Wrong(location, $"the signature of {found.Key.Fingerprint} is not one of this manifest");
        }

        var time = new DateTimeOffset(DateTime.SpecifyKind(signature.CreationTime, DateTimeKind.Utc));
        if (Refusal(found.Key, found.Part, signature, time) is { } refusal)
        {
            throw new MoltException("SignerNotTrusted", ErrorKind.PermissionDenied,
                string.Create(CultureInfo.InvariantCulture, $"{location} is signed by {found.Key.Fingerprint} as of {time:yyyy-MM-dd HH:mm:ss}Z, and that does not count: {refusal}."),
                "Use a backup that a key signed which was good then.", location);
        }

        return found.Key.Fingerprint;
    }

    private string? Refusal(OpenPgpKey key, KeyPart part, PgpSignature signature, DateTimeOffset time)
    {
        if (!part.Bound || !part.CanSign)
        {
            return "the key is not meant to sign";
        }

        if (time < part.Created)
        {
            return "the key is younger than that";
        }

        if (time > clock.GetUtcNow() + s_clockSlack)
        {
            return "that is in the future";
        }

        if (key.Primary.ExpiredAt(time) || part.ExpiredAt(time))
        {
            return "the key had expired by then";
        }

        // Who may have stolen a key can date what he signs as he likes.
        if (new[] { key.Primary.Revoked, part.Revoked }.Any(r => r is not null && (!r.Retired || r.Time <= time)))
        {
            return "the key's owner has taken it back";
        }

        return signature.GetHashedSubPackets()?.GetSignatureExpirationTime() is > 0 and var seconds && time.AddSeconds(seconds) <= clock.GetUtcNow()
            ? "the signature itself has expired"
            : null;
    }

    private static bool IsGenuine(PgpSignature signature, PgpPublicKey key, ReadOnlySpan<byte> manifest)
    {
        if (signature.SignatureType != PgpSignature.BinaryDocument
            || signature.KeyAlgorithm != key.Algorithm
            || signature.HashAlgorithm is not (HashAlgorithmTag.Sha256 or HashAlgorithmTag.Sha384 or HashAlgorithmTag.Sha512))
        {
            return false;
        }

        try
        {
            if (signature.GetHashedSubPackets()?.GetCriticalTags().All(t => Enum.IsDefined(t)) == false)
            {
                return false;
            }

            if (key.PublicKeyPacket.Key is RsaPublicBcpgKey rsa)
            {
                return IsGenuine(signature, rsa, manifest);
            }

            signature.InitVerify(key);
            signature.Update(manifest);
            return signature.Verify();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever the library throws at bytes that somebody changed.
            return false;
        }
    }

    /// <summary>By .NET: the library first tests the modulus, which takes a fifth of a second for every one of a list of backups.</summary>
    private static bool IsGenuine(PgpSignature signature, RsaPublicBcpgKey key, ReadOnlySpan<byte> manifest)
    {
        var algorithm = signature.HashAlgorithm switch
        {
            HashAlgorithmTag.Sha256 => HashAlgorithmName.SHA256,
            HashAlgorithmTag.Sha384 => HashAlgorithmName.SHA384,
            _ => HashAlgorithmName.SHA512,
        };
        using var hash = IncrementalHash.CreateHash(algorithm);
        hash.AppendData(manifest);
        hash.AppendData(signature.GetSignatureTrailer());
        using var rsa = RSA.Create(new RSAParameters { Modulus = key.Modulus.ToByteArrayUnsigned(), Exponent = key.PublicExponent.ToByteArrayUnsigned() });
        var number = signature.GetSignature();
        var padded = new byte[rsa.KeySize / 8];
        number.CopyTo(padded, padded.Length - number.Length);
        return rsa.VerifyHash(hash.GetHashAndReset(), padded, algorithm, RSASignaturePadding.Pkcs1);
    }

    private static MoltException Wrong(string location, string why, Exception? inner = null)
        => new("SignatureWrong", ErrorKind.InvalidData, $"The signature of {location} is wrong: {why}.",
            "The backup has been changed since it was made. Use another copy.", location, inner);
}
