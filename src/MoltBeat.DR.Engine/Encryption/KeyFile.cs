using System.Text;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Reads files of OpenPGP keys, armored or binary, with one key or many.</summary>
internal static class KeyFile
{
    private const int LargestFile = 16 << 20;

    /// <exception cref="MoltException"><c>KeyFileMissing</c>, <c>KeyFileInvalid</c>.</exception>
    public static byte[] Read(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (file.Length > LargestFile)
            {
                throw OpenPgpErrors.KeyFile(path, "it is too large for a file of keys");
            }

            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new MoltException("KeyFileMissing", ErrorKind.NotFound, $"There is no key file {path}.", "Check the path.", path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw OpenPgpErrors.KeyFile(path, "it cannot be read by this user", e);
        }
    }

    /// <summary>The public keys in a file.</summary>
    /// <exception cref="MoltException"><c>KeyFileInvalid</c>, also when it holds private keys.</exception>
    public static IReadOnlyList<PgpPublicKeyRing> PublicKeys(byte[] content, string origin)
    {
        List<PgpPublicKeyRing> keys = [];
        foreach (var item in Objects(content, origin))
        {
            switch (item)
            {
                case PgpPublicKeyRing ring:
                    keys.Add(ring);
                    break;
                case PgpSecretKeyRing:
                    throw new MoltException("KeyFileIsPrivate", ErrorKind.InvalidArgument,
                        $"The key file {origin} holds a private key where only the public one belongs.",
                        "Export the public key (gpg --armor --export FINGERPRINT), and take the private one off this machine.", origin);
            }
        }

        return keys.Count > 0 ? keys : throw OpenPgpErrors.KeyFile(origin, "there is no public key in it");
    }

    /// <summary>The private keys in a file; still locked.</summary>
    /// <exception cref="MoltException"><c>KeyFileInvalid</c>.</exception>
    public static IReadOnlyList<PgpSecretKeyRing> PrivateKeys(byte[] content, string origin)
    {
        List<PgpSecretKeyRing> keys = [.. Objects(content, origin).OfType<PgpSecretKeyRing>()];
        return keys.Count > 0 ? keys : throw OpenPgpErrors.KeyFile(origin, "there is no private key in it");
    }

    private static List<PgpObject> Objects(byte[] content, string origin)
    {
        List<PgpObject> items = [];
        foreach (var block in content.Length > 0 && (content[0] & 0x80) != 0 ? [content] : Unarmor(content, origin))
        {
            try
            {
                var factory = new PgpObjectFactory(block);
                while (factory.NextPgpObject() is { } item)
                {
                    items.Add(item);
                }
            }
            catch (Exception e) when (e is not (MoltException or OutOfMemoryException))
            {
                throw OpenPgpErrors.KeyFile(origin, "it is damaged, or of a kind that is not known", e);
            }
        }

        return items;
    }

    /// <summary>The content of each armored block (RFC 4880, section 6.2).</summary>
    private static List<byte[]> Unarmor(byte[] content, string origin)
    {
        List<byte[]> blocks = [];
        StringBuilder? body = null;
        var inHead = false;
        string? sum = null;
        foreach (var raw in Encoding.Latin1.GetString(content).Split('\n'))
        {
            var line = raw.Trim();
            if (line.StartsWith("-----BEGIN PGP ", StringComparison.Ordinal))
            {
                body = new StringBuilder();
                inHead = true;
                sum = null;
            }
            else if (body is null)
            {
                continue;
            }
            else if (line.StartsWith("-----END PGP ", StringComparison.Ordinal))
            {
                blocks.Add(Decode(body.ToString(), sum, origin));
                body = null;
            }
            else if (inHead)
            {
                inHead = line.Length > 0;
            }
            else if (line.StartsWith('='))
            {
                sum = line[1..];
            }
            else
            {
                body.Append(line);
            }
        }

        if (body is not null)
        {
            throw OpenPgpErrors.KeyFile(origin, "it is cut short");
        }

        return blocks.Count > 0 ? blocks : throw OpenPgpErrors.KeyFile(origin, "it is no OpenPGP key, neither armored nor binary");
    }

    private static byte[] Decode(string body, string? sum, string origin)
    {
        try
        {
            var bytes = Convert.FromBase64String(body);
            if (sum is not null && !Crc24(bytes).AsSpan().SequenceEqual(Convert.FromBase64String(sum)))
            {
                throw OpenPgpErrors.KeyFile(origin, "its checksum does not agree");
            }

            return bytes;
        }
        catch (FormatException)
        {
            // Not chained: the text may be a private key's.
            throw OpenPgpErrors.KeyFile(origin, "it is damaged");
        }
    }

    private static byte[] Crc24(byte[] bytes)
    {
        var crc = 0xB704CE;
        foreach (var b in bytes)
        {
            crc ^= b << 16;
            for (var i = 0; i < 8; i++)
            {
                crc = (crc & 0x800000) != 0 ? crc << 1 ^ 0x1864CFB : crc << 1;
            }
        }

        return [(byte)(crc >> 16), (byte)(crc >> 8), (byte)crc];
    }
}
