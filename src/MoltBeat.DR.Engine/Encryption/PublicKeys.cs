using System.Text.RegularExpressions;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Finds the public keys that an operator names.</summary>
/// <param name="gnuPgHome">GnuPG's folder of keys; null for the user's own.</param>
/// <param name="clock">Says what time it is; null for the system's.</param>
public sealed partial class PublicKeys(string? gnuPgHome = null, TimeProvider? clock = null)
{
    private readonly TimeProvider clock = clock ?? TimeProvider.System;

    /// <summary>The keys to encrypt to, each once, all of them checked.</summary>
    /// <param name="specs">
    /// Each the path of a file with one public key or several (armored or binary), or a key id of 16 digits, a fingerprint or an
    /// e-mail address in GnuPG's keyring that one key has.
    /// </param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">
    /// <c>KeyFileMissing</c>, <c>KeyFileInvalid</c>, <c>KeyFileIsPrivate</c>, <c>KeyNotNamed</c>, <c>KeyNotFound</c>, <c>KeyAmbiguous</c>, <c>GpgMissing</c>,
    /// <c>GpgFailed</c>; <c>KeyInvalid</c>, <c>KeyRevoked</c>, <c>KeyExpired</c>, <c>KeyCannotEncrypt</c>, <c>KeyAlgorithmNotSupported</c>.
    /// </exception>
    public async Task<IReadOnlyList<RecipientKey>> RecipientsAsync(IEnumerable<string> specs, CancellationToken cancellationToken)
        => [.. (await FindAsync(specs, cancellationToken).ConfigureAwait(false)).Select(k => new RecipientKey(k))];

    /// <summary>The keys that are named, each once, whatever they can do: see <see cref="RecipientsAsync"/> for the names and errors.</summary>
    public async Task<IReadOnlyList<OpenPgpKey>> FindAsync(IEnumerable<string> specs, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(specs);
        List<OpenPgpKey> keys = [];
        foreach (var spec in specs)
        {
            var now = clock.GetUtcNow();
            foreach (var ring in await RingsAsync(spec, now, cancellationToken).ConfigureAwait(false))
            {
                var key = Read(ring, spec, now);
                if (!keys.Exists(k => k.Fingerprint == key.Fingerprint))
                {
                    keys.Add(key);
                }
            }
        }

        return keys;
    }

    private static OpenPgpKey Read(PgpPublicKeyRing ring, string origin, DateTimeOffset now)
    {
        try
        {
            return new OpenPgpKey(ring, origin, now);
        }
        catch (Exception e) when (e is not (MoltException or OutOfMemoryException))
        {
            throw OpenPgpErrors.KeyFile(origin, "a key in it is damaged", e);
        }
    }

    private async Task<IReadOnlyList<PgpPublicKeyRing>> RingsAsync(string spec, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var name = spec.Trim();
        if (!File.Exists(name) && Query(name) is { } query)
        {
            return [await LookUpAsync(name, query, now, cancellationToken).ConfigureAwait(false)];
        }

        if (!File.Exists(name) && name.AsSpan().IndexOfAny('/', '\\') < 0 && !KeyFileName().IsMatch(name))
        {
            throw new MoltException("KeyNotNamed", ErrorKind.InvalidArgument,
                $"'{spec}' names no key: it is neither a file, nor a key id of 16 digits, a fingerprint or an e-mail address.",
                "Give the path of a file with the public key, or its fingerprint as gpg --list-keys shows it.", spec);
        }

        return KeyFile.PublicKeys(KeyFile.Read(name), name);
    }

    private async Task<PgpPublicKeyRing> LookUpAsync(string name, string query, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var found = await GnuPg.Find(gnuPgHome).ExportAsync(query, cancellationToken).ConfigureAwait(false);
        if (found.Length == 0)
        {
            throw new MoltException("KeyNotFound", ErrorKind.NotFound, $"GnuPG's keyring has no key {name}.",
                "Look at gpg --list-keys; import the key with gpg --import, or name its file.", name);
        }

        var rings = KeyFile.PublicKeys(found, $"GnuPG's keyring ({name})");
        if (rings.Count > 1)
        {
            var list = string.Join("; ", rings.Select(r => Read(r, name, now)).Select(k => $"{k.Fingerprint} {k.UserIds.FirstOrDefault()}".TrimEnd()));
            throw new MoltException("KeyAmbiguous", ErrorKind.InvalidArgument, $"GnuPG's keyring has {rings.Count} keys that {name} may mean: {list}.",
                "Name the one that is meant by its fingerprint.", name);
        }

        return rings[0];
    }

    /// <summary>What to ask gpg for; null when it is nothing that names a single key. Parts of names match too much: whoever can add a key to the keyring would be a recipient.</summary>
    private static string? Query(string name)
    {
        var digits = name.Replace(" ", "", StringComparison.Ordinal);
        if (KeyNumber().Match(digits) is { Success: true } number)
        {
            return "0x" + number.Groups[1].Value;
        }

        return MailAddress().Match(name) is { Success: true } address ? $"<{address.Groups[1].Value}>" : null;
    }

    [GeneratedRegex(@"^(?:0x)?([0-9A-Fa-f]{16}|[0-9A-Fa-f]{40})$")]
    private static partial Regex KeyNumber();

    [GeneratedRegex(@"^<?([^\s<>@/\\]+@[^\s<>@/\\]+)>?$")]
    private static partial Regex MailAddress();

    [GeneratedRegex(@"\.(asc|gpg|pgp|key|pub|kbx)$", RegexOptions.IgnoreCase)]
    private static partial Regex KeyFileName();
}
