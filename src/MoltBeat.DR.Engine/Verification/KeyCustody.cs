using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;

namespace MoltBeat.DR.Engine.Verification;

/// <summary>A key that backups are encrypted to, and what is known of it.</summary>
public sealed record RecipientStatus
{
    /// <summary>Of the primary key; what the plan says where no such key can be found.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Who it belongs to; null when its public key is not at hand.</summary>
    public string? UserId { get; init; }

    /// <summary>How many backups its private key opens.</summary>
    public int Backups { get; init; }

    /// <summary>When the newest of those was made; null when there is none.</summary>
    public DateTimeOffset? NewestBackup { get; init; }

    /// <summary>Whether the plan names it, so that the next backup is encrypted to it as well.</summary>
    public bool InPlan { get; init; }

    /// <summary>The newest proof that its private key is still there, of any backup; null when there was none.</summary>
    public KeyProofRecord? LastProof { get; init; }

    /// <summary>Whole days since then.</summary>
    public int? DaysSinceProof { get; init; }

    /// <summary>From when on nothing more can be encrypted to it; null for never, or when its public key is not at hand.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>Whole days until then, negative when it is over.</summary>
    public int? DaysToExpiry { get; init; }

    /// <summary>Why nothing can be encrypted to it, or why nothing is known of it; null when all is well.</summary>
    public string? Problem { get; init; }
}

/// <summary>Whether those who are to open the backups still can.</summary>
public static class KeyCustody
{
    /// <summary>All recipients of some backups and of the plan, those first whose proof is longest ago.</summary>
    /// <param name="backups">As the catalog lists them.</param>
    /// <param name="planned">The plan's recipients, as it names them.</param>
    /// <param name="keys">Finds public keys.</param>
    /// <param name="now">The present, UTC.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<IReadOnlyList<RecipientStatus>> ListAsync(IReadOnlyList<BackupInfo> backups, IReadOnlyList<string> planned, PublicKeys keys, DateTimeOffset now, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(backups);
        ArgumentNullException.ThrowIfNull(planned);
        ArgumentNullException.ThrowIfNull(keys);
        var found = new Dictionary<string, OpenPgpKey>(StringComparer.OrdinalIgnoreCase);
        var inPlan = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var problems = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var spec in planned)
        {
            try
            {
                foreach (var key in await keys.FindAsync([spec], cancellationToken).ConfigureAwait(false))
                {
                    inPlan.Add(key.Fingerprint);
                    found[key.Fingerprint] = key;
                }
            }
            catch (MoltException e)
            {
                inPlan.Add(spec);
                problems[spec] = e.Message;
            }
        }

        var used = backups.SelectMany(b => b.Recipients.Select(r => (r.Fingerprint, Backup: b))).ToLookup(u => u.Fingerprint, u => u.Backup, StringComparer.OrdinalIgnoreCase);
        var proofs = backups.SelectMany(b => b.Locations).SelectMany(l => l.KeyProofs).ToLookup(p => p.Fingerprint, StringComparer.OrdinalIgnoreCase);
        List<RecipientStatus> all = [];
        foreach (var fingerprint in used.Select(u => u.Key).Union(inPlan, StringComparer.OrdinalIgnoreCase))
        {
            var (key, problem) = problems.TryGetValue(fingerprint, out var said) ? (null, said)
                : found.TryGetValue(fingerprint, out var known) ? (known, null)
                : await LookUpAsync(keys, fingerprint, cancellationToken).ConfigureAwait(false);
            var (expires, refusal) = Judge(key);
            var last = proofs[fingerprint].MaxBy(p => p.Time);
            all.Add(new RecipientStatus
            {
                Fingerprint = fingerprint,
                UserId = key?.UserIds.FirstOrDefault(),
                Backups = used[fingerprint].Count(),
                NewestBackup = used[fingerprint].Select(b => (DateTimeOffset?)b.Created).Max(),
                InPlan = inPlan.Contains(fingerprint),
                LastProof = last,
                DaysSinceProof = last is null ? null : (int)Math.Floor((now - last.Time).TotalDays),
                Expires = expires,
                DaysToExpiry = expires is null ? null : (int)Math.Floor((expires.Value - now).TotalDays),
                Problem = problem ?? refusal,
            });
        }

        return [.. all.OrderBy(r => r.LastProof?.Time ?? DateTimeOffset.MinValue).ThenBy(r => r.Fingerprint, StringComparer.Ordinal)];
    }

    private static async Task<(OpenPgpKey? Key, string? Problem)> LookUpAsync(PublicKeys keys, string fingerprint, CancellationToken cancellationToken)
    {
        // What a manifest says is looked up only when it is a fingerprint: it could be the path of any file.
        if (fingerprint.Length != 40 || !fingerprint.All(char.IsAsciiHexDigit))
        {
            return (null, "The backup names no key by this.");
        }

        try
        {
            return ((await keys.FindAsync([fingerprint], cancellationToken).ConfigureAwait(false))[0], null);
        }
        catch (MoltException e)
        {
            return (null, $"Its public key is not at hand: {e.Message}");
        }
    }

    private static (DateTimeOffset? Expires, string? Problem) Judge(OpenPgpKey? key)
    {
        try
        {
            return key is null ? (null, null) : (new RecipientKey(key).Expires, null);
        }
        catch (MoltException e)
        {
            return (key!.EncryptionExpires, e.Message);
        }
    }
}
