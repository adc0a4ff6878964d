using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;
using Org.BouncyCastle.Crypto.Agreement;
using Org.BouncyCastle.Crypto.Engines;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.Utilities;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>
/// A session key encrypted to one public key (RFC 4880, section 5.1; RFC 6637, sections 7 and 8 for elliptic curves). Made
/// here and not by the library's generator, which ties a session key to one message.
/// </summary>
/// <param name="KeyId">Of the key that opens it; 0 when the maker did not tell.</param>
/// <param name="Algorithm">OpenPGP's number of the public key's algorithm.</param>
/// <param name="Encrypted">The rest of the packet.</param>
internal sealed record SessionKeyPacket(long KeyId, byte Algorithm, byte[] Encrypted)
{
    public const int Tag = 1;
    public const int MaxBytes = 8 << 10;

    private const byte Version = 3;
    private const int X25519Bytes = 32;
    private const byte CompressedPoint = 0x40;

    /// <summary>The key's id as people see it: 16 upper-case hexadecimal digits.</summary>
    public string KeyIdText => KeyId.ToString("X16", CultureInfo.InvariantCulture);

    /// <summary>The whole packet that gives a session key to the holder of a public key.</summary>
    /// <exception cref="MoltException"><c>KeyAlgorithmNotSupported</c>.</exception>
    public static byte[] Write(SessionKey key, PgpPublicKey to)
    {
        var data = key.Encode();
        try
        {
            var head = new byte[10];
            head[0] = Version;
            BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(1), to.KeyId);
            head[9] = (byte)to.Algorithm;
            return PacketBytes.Packet(Tag, [.. head, .. to.Algorithm == PublicKeyAlgorithmTag.ECDH ? EncryptByCurve(data, to) : EncryptByRsa(data, to)]);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(data);
        }
    }

    /// <summary>The whole packet again, as it was read.</summary>
    public byte[] ToBytes()
    {
        var head = new byte[10];
        head[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(head.AsSpan(1), KeyId);
        head[9] = Algorithm;
        return PacketBytes.Packet(Tag, [.. head, .. Encrypted]);
    }

    /// <summary>Reads a packet's content; null for a version that is not ours to read.</summary>
    public static SessionKeyPacket? Parse(ReadOnlySpan<byte> body)
        => body.Length < 12 || body[0] != Version ? null : new(BinaryPrimitives.ReadInt64BigEndian(body[1..]), body[9], body[10..].ToArray());

    /// <summary>Opens it with a private key; null when that is not the key it was made for.</summary>
    /// <exception cref="MoltException"><c>EncryptionNotSupported</c>: the message is encrypted with another cipher than AES.</exception>
    public SessionKey? Open(PgpPrivateKey with)
    {
        try
        {
            var data = (PublicKeyAlgorithmTag)Algorithm switch
            {
                PublicKeyAlgorithmTag.RsaGeneral or PublicKeyAlgorithmTag.RsaEncrypt => DecryptByRsa(with),
                PublicKeyAlgorithmTag.ECDH => DecryptByCurve(with),
                _ => null,
            };
            return data is null ? null : SessionKey.Parse(data);
        }
        catch (Exception e) when (e is not MoltException)
        {
            // Whatever the library throws at bytes that somebody changed, or at a key of another kind: it doesn't fit.
            return null;
        }
    }

    private static byte[] EncryptByRsa(byte[] data, PgpPublicKey to)
    {
        if (to.GetKey() is not RsaKeyParameters parameters)
        {
            throw new ArgumentException("Not a key that encrypts.", nameof(to));
        }

        using var rsa = RSA.Create(DotNetUtilities.ToRSAParameters(parameters));
        return PacketBytes.Number(rsa.Encrypt(data, RSAEncryptionPadding.Pkcs1));
    }

    private byte[]? DecryptByRsa(PgpPrivateKey with)
    {
        if (with.Key is not RsaPrivateCrtKeyParameters parameters)
        {
            return null;
        }

        ReadOnlySpan<byte> rest = Encrypted;
        var number = PacketBytes.TakeNumber(ref rest);
        var secret = DotNetUtilities.ToRSAParameters(parameters);
        try
        {
            using var rsa = RSA.Create(secret);
            var block = new byte[rsa.KeySize / 8];
            number.CopyTo(block.AsSpan(block.Length - number.Length));
            return rsa.Decrypt(block, RSAEncryptionPadding.Pkcs1);
        }
        finally
        {
            foreach (var part in new[] { secret.D, secret.P, secret.Q, secret.DP, secret.DQ, secret.InverseQ })
            {
                CryptographicOperations.ZeroMemory(part);
            }
        }
    }

    private static byte[] EncryptByCurve(byte[] data, PgpPublicKey to)
    {
        byte[] point;
        byte[] secret;
        if (to.GetKey() is X25519PublicKeyParameters theirs)
        {
            var ours = new X25519PrivateKeyParameters(RandomNumberGenerator.GetBytes(X25519Bytes));
            point = [CompressedPoint, .. ours.GeneratePublicKey().GetEncoded()];
            secret = Agree(ours, theirs);
        }
        else if (to.GetKey() is ECPublicKeyParameters their)
        {
            var generator = new ECKeyPairGenerator();
            generator.Init(new ECKeyGenerationParameters(their.Parameters, new SecureRandom()));
            var pair = generator.GenerateKeyPair();
            point = ((ECPublicKeyParameters)pair.Public).Q.GetEncoded(compressed: false);
            secret = Agree((ECPrivateKeyParameters)pair.Private, their);
        }
        else
        {
            throw new ArgumentException("Not a key that encrypts.", nameof(to));
        }

        var wrapper = Wrapper(forWrapping: true, to.PublicKeyPacket, secret);
        var padding = 8 - data.Length % 8;
        byte[] padded = [.. data, .. Enumerable.Repeat((byte)padding, padding)];
        var wrapped = wrapper.Wrap(padded, 0, padded.Length);
        CryptographicOperations.ZeroMemory(padded);
        return [.. PacketBytes.Number(point), (byte)wrapped.Length, .. wrapped];
    }

    private byte[]? DecryptByCurve(PgpPrivateKey with)
    {
        ReadOnlySpan<byte> rest = Encrypted;
        var point = PacketBytes.TakeNumber(ref rest);
        if (rest.Length < 1 || rest.Length != rest[0] + 1 || with.PublicKeyPacket.Key is not ECDHPublicBcpgKey)
        {
            return null;
        }

        byte[] secret;
        if (with.Key is X25519PrivateKeyParameters ours)
        {
            if (point.Length != X25519Bytes + 1 || point[0] != CompressedPoint)
            {
                return null;
            }

            secret = Agree(ours, new X25519PublicKeyParameters(point[1..].ToArray()));
        }
        else if (with.Key is ECPrivateKeyParameters our)
        {
            secret = Agree(our, new ECPublicKeyParameters(our.Parameters.Curve.DecodePoint(point.ToArray()), our.Parameters));
        }
        else
        {
            return null;
        }

        var padded = Wrapper(forWrapping: false, with.PublicKeyPacket, secret).Unwrap(rest[1..].ToArray(), 0, rest.Length - 1);
        try
        {
            int padding = padded[^1];
            return padding is >= 1 and <= 40 && padding < padded.Length && !padded.AsSpan(padded.Length - padding).ContainsAnyExcept((byte)padding)
                ? padded[..^padding]
                : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(padded);
        }
    }

    private static byte[] Agree(X25519PrivateKeyParameters ours, X25519PublicKeyParameters theirs)
    {
        var agreement = new X25519Agreement();
        agreement.Init(ours);
        var secret = new byte[agreement.AgreementSize];
        agreement.CalculateAgreement(theirs, secret, 0);
        return secret;
    }

    private static byte[] Agree(ECPrivateKeyParameters ours, ECPublicKeyParameters theirs)
    {
        var agreement = new ECDHBasicAgreement();
        agreement.Init(ours);
        return BigIntegers.AsUnsignedByteArray(agreement.GetFieldSize(), agreement.CalculateAgreement(theirs));
    }

    private static AesWrapEngine Wrapper(bool forWrapping, PublicKeyPacket recipient, byte[] secret)
    {
        var key = Rfc6637Utilities.CreateKey(recipient, secret);
        var wrapper = new AesWrapEngine();
        wrapper.Init(forWrapping, new KeyParameter(key));
        CryptographicOperations.ZeroMemory(key);
        CryptographicOperations.ZeroMemory(secret);
        return wrapper;
    }

    /// <summary>Whether a key is of a kind that session keys can be encrypted to here.</summary>
    public static bool Knows(PgpPublicKey key, out string kind)
    {
        kind = key.Algorithm.ToString();
        switch (key.Algorithm)
        {
            case PublicKeyAlgorithmTag.RsaGeneral or PublicKeyAlgorithmTag.RsaEncrypt:
                kind = $"RSA with {key.BitStrength} bits";
                return key.BitStrength >= 2048;
            case PublicKeyAlgorithmTag.ECDH when key.PublicKeyPacket.Key is ECDHPublicBcpgKey curve:
                kind = $"ECDH over {curve.CurveOid}";
                return curve.SymmetricKeyAlgorithm is SymmetricKeyAlgorithmTag.Aes128 or SymmetricKeyAlgorithmTag.Aes192 or SymmetricKeyAlgorithmTag.Aes256
                    && curve.HashAlgorithm is HashAlgorithmTag.Sha256 or HashAlgorithmTag.Sha384 or HashAlgorithmTag.Sha512
                    && IsUsable(key);
            default:
                return false;
        }
    }

    private static bool IsUsable(PgpPublicKey key)
    {
        try
        {
            return key.GetKey() is X25519PublicKeyParameters or ECPublicKeyParameters;
        }
        catch (Exception e) when (e is PgpException or ArgumentException or InvalidOperationException or NullReferenceException)
        {
            return false;
        }
    }
}
