using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>
/// What the records beside one archive say of it. A damaged record never makes a backup easier to remove: as a
/// verification it counts as none, as a pin it pins, as a lease it holds for an hour.
/// </summary>
public sealed class BackupRecords
{
    private const string Unreadable = "its record cannot be read";
    private const string Unknown = "unknown";

    /// <summary>A lease counts this long from when it was taken.</summary>
    public static readonly TimeSpan LeaseTime = TimeSpan.FromHours(1);

    private BackupRecords(VerificationRecord? verification, PinRecord? pin, IReadOnlyList<LeaseRecord> leases, IReadOnlyList<KeyProofRecord> keyProofs)
    {
        Verification = verification;
        Pin = pin;
        Leases = leases;
        KeyProofs = keyProofs;
    }

    /// <summary>The newest verification, the failed one of two at the same time; null when there was none.</summary>
    public VerificationRecord? Verification { get; }

    /// <summary>The pin that holds now; null when there is none.</summary>
    public PinRecord? Pin { get; }

    /// <summary>Leases that hold now, the longest first.</summary>
    public IReadOnlyList<LeaseRecord> Leases { get; }

    /// <summary>The newest proof of each private key, the newest first.</summary>
    public IReadOnlyList<KeyProofRecord> KeyProofs { get; }

    /// <summary>Reads them all.</summary>
    /// <param name="backupId">Whose they are to be: records of another backup that once bore its name say nothing about it.</param>
    /// <param name="records">File names and contents, in any order; the content is empty where it could not be read.</param>
    /// <param name="now">The present, UTC.</param>
    public static BackupRecords Parse(string backupId, IEnumerable<(string Name, byte[] Content)> records, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(backupId);
        ArgumentNullException.ThrowIfNull(records);
        var verifications = new List<VerificationRecord>();
        var pins = new List<PinRecord>();
        var leases = new List<LeaseRecord>();
        var proofs = new List<KeyProofRecord>();
        foreach (var (name, content) in records)
        {
            if (RecordFile.IsKind(name, RecordFile.Verification))
            {
                if (Read(content, RecordJson.Default.VerificationRecord) is { } verification)
                {
                    verifications.Add(verification);
                }
            }
            else if (RecordFile.IsKind(name, RecordFile.Pin))
            {
                // Without a time no later record can be told to take it back.
                pins.Add(Read(content, StrictRecordJson.Default.PinRecord)
                    ?? new PinRecord(backupId, true, Unreadable, Unknown, Unknown, RecordFile.TimeOf(name) ?? DateTimeOffset.MaxValue));
            }
            else if (RecordFile.IsKind(name, RecordFile.KeyProof))
            {
                if (Read(content, StrictRecordJson.Default.KeyProofRecord) is { } proof)
                {
                    proofs.Add(proof);
                }
            }
            else if (RecordFile.IsKind(name, RecordFile.Lease))
            {
                leases.Add(Read(content, StrictRecordJson.Default.LeaseRecord) ?? UnreadableLease(backupId, RecordFile.TimeOf(name) ?? now));
            }
        }

        // Taken back in the future: by a wrong clock, and it must not hide a pin that was set after it in truth.
        var pin = pins.Where(p => p.BackupId == backupId && (p.Pinned || p.Time <= now + BackupCatalog.ClockTolerance))
            .OrderByDescending(p => p.Time).ThenByDescending(p => p.Pinned).ThenBy(p => p.Reason, StringComparer.Ordinal).ThenBy(p => p.By, StringComparer.Ordinal).FirstOrDefault();
        return new BackupRecords(
            verifications.Where(v => v.BackupId == backupId).OrderByDescending(v => v.Time).ThenBy(v => v.Passed).FirstOrDefault(),
            pin is { Pinned: true } ? pin : null,
            [.. leases.Where(l => l.BackupId == backupId && l.Until > now).OrderByDescending(l => l.Until).ThenBy(l => l.Host, StringComparer.Ordinal).ThenBy(l => l.Process)],
            // Proven in the future: by a wrong clock, and nobody would ask for another proof for as long.
            [.. proofs.Where(p => p.BackupId == backupId && p.Time <= now + BackupCatalog.ClockTolerance).OrderByDescending(p => p.Time).DistinctBy(p => p.Fingerprint, StringComparer.OrdinalIgnoreCase)]);
    }

    private static LeaseRecord UnreadableLease(string backupId, DateTimeOffset taken)
        => new(backupId, Unknown, 0, Unreadable, taken, taken > DateTimeOffset.MaxValue - LeaseTime ? DateTimeOffset.MaxValue : taken + LeaseTime);

    private static T? Read<T>(byte[] content, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(content, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
