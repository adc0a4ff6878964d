using System.Security.Cryptography;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>The symmetric key of an OpenPGP message. Wiped when disposed.</summary>
/// <param name="algorithm">OpenPGP's number of the cipher: 7, 8 or 9 for AES with 128, 192 or 256 bits.</param>
/// <param name="key">The key; owned by this object from now on.</param>
internal sealed class SessionKey(byte algorithm, byte[] key) : IDisposable
{
    public const byte Aes256 = 9;

    public byte Algorithm { get; } = algorithm;

    public ReadOnlySpan<byte> Key => key;

    public static SessionKey Create() => new(Aes256, RandomNumberGenerator.GetBytes(32));

    /// <summary>The length in bytes of a cipher's keys; 0 for ciphers that we do not have.</summary>
    public static int LengthOf(byte algorithm) => algorithm switch { 7 => 16, 8 => 24, Aes256 => 32, _ => 0 };

    /// <summary>What GnuPG and others call a cipher, for errors.</summary>
    public static string NameOf(byte algorithm) => algorithm switch
    {
        1 => "IDEA",
        2 => "3DES",
        3 => "CAST5",
        4 => "Blowfish",
        7 or 8 or Aes256 => "AES",
        10 => "Twofish",
        11 or 12 or 13 => "Camellia",
        _ => $"number {algorithm}",
    };

    /// <summary>Reads cipher, key and checksum as a public key encrypts them; null when they do not agree. Wipes what it reads.</summary>
    /// <exception cref="MoltException"><c>EncryptionNotSupported</c>.</exception>
    public static SessionKey? Parse(byte[] data)
    {
        try
        {
            if (data.Length < 3)
            {
                return null;
            }

            var key = data.AsSpan(1, data.Length - 3);
            var sum = 0;
            foreach (var b in key)
            {
                sum += b;
            }

            if ((ushort)sum != (data[^2] << 8 | data[^1]))
            {
                return null;
            }

            if (LengthOf(data[0]) == 0)
            {
                throw OpenPgpErrors.NotSupported($"it is encrypted with {NameOf(data[0])}; this module opens AES only");
            }

            return key.Length == LengthOf(data[0]) ? new SessionKey(data[0], key.ToArray()) : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(data);
        }
    }

    /// <summary>Cipher, key and checksum, as they are encrypted to a public key. The caller wipes them.</summary>
    public byte[] Encode()
    {
        var data = new byte[key.Length + 3];
        data[0] = Algorithm;
        key.CopyTo(data, 1);
        var sum = 0;
        foreach (var b in key)
        {
            sum += b;
        }

        data[^2] = (byte)(sum >> 8);
        data[^1] = (byte)sum;
        return data;
    }

    /// <summary>OpenPGP's CFB mode of a whole packet: a block of zeros to begin with, no padding, no resynchronization.</summary>
    public ICryptoTransform CreateTransform(bool encrypt)
    {
        using var aes = Aes.Create();
        aes.SetKey(key);
        aes.IV = new byte[16];
        aes.Mode = CipherMode.CFB;
        aes.FeedbackSize = 128;
        aes.Padding = PaddingMode.None;
        return encrypt ? aes.CreateEncryptor() : aes.CreateDecryptor();
    }

    public SessionKey Copy() => new(Algorithm, key.ToArray());

    public void Dispose() => CryptographicOperations.ZeroMemory(key);
}
