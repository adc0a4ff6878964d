using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Archive.Dumps;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>One backup, as its manifest and its records tell of it.</summary>
public sealed class BackupInfo
{
    internal BackupInfo(Manifest manifest, string manifestSha256, string name, IReadOnlyList<BackupLocation> locations, IReadOnlyList<FailedCopy>? failures = null)
    {
        Manifest = manifest;
        ManifestSha256 = manifestSha256;
        Id = manifest.Id;
        Database = manifest.Database;
        Kind = manifest.Kind;
        Created = manifest.Created;
        Duration = manifest.Completed - manifest.Created;
        Size = locations[0].Size;
        RawSize = manifest.RawBytes;
        Rows = manifest.Rows;
        Tables = manifest.Tables;
        ServerVersion = manifest.Server.Version;
        Notes = manifest.Notes;
        Extras = manifest.Extras;
        Name = name;
        Locations = [.. locations];
        Failures = failures ?? [];
        var verifications = locations.Select(l => l.Verification).OfType<VerificationRecord>().OrderByDescending(v => v.Time).ToList();
        Verification = verifications.Find(v => v.Passed) ?? verifications.FirstOrDefault();
    }

    internal Manifest Manifest { get; }

    /// <summary>Whatever bears the same is the same archive to the last byte.</summary>
    internal string ManifestSha256 { get; }

    public string Id { get; }

    public string Database { get; }

    public BackupKind Kind { get; }

    /// <summary>When its snapshot was taken, UTC.</summary>
    public DateTimeOffset Created { get; }

    public TimeSpan Duration { get; }

    /// <summary>Bytes of the archive.</summary>
    public long Size { get; }

    /// <summary>Bytes of its rows before compression.</summary>
    public long RawSize { get; }

    /// <summary>Raw bytes per stored byte.</summary>
    public double Ratio => Size > 0 ? Math.Round((double)RawSize / Size, 2) : 0;

    public long Rows { get; }

    public int Tables { get; }

    public string ServerVersion { get; }

    /// <summary>What kind of file it is. Of a dump of stock tools only what its name and its first bytes tell is known; <see cref="Notes"/> says so.</summary>
    public BackupFormat Format { get; internal init; }

    /// <summary>Whether its contents are encrypted.</summary>
    public bool Encrypted => Manifest.Recipients.Count > 0 || SealedDump;

    /// <summary>It is an encrypted dump, which does not name its recipients' fingerprints.</summary>
    internal bool SealedDump { get; init; }

    /// <summary>The keys that its contents are encrypted to; empty when they are not.</summary>
    public IReadOnlyList<RecipientInfo> Recipients => Manifest.Recipients;

    /// <summary>What it does not hold and why; empty when it holds all.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>What it holds beside the database: environment files, Redis, folders.</summary>
    public IReadOnlyList<ExtraInfo> Extras { get; }

    /// <summary>File name.</summary>
    public string Name { get; }

    /// <summary>Path or URI of the nearest copy.</summary>
    public string Path => Locations[0].Path;

    /// <summary>All copies, the nearest first.</summary>
    public BackupLocation[] Locations { get; }

    /// <summary>Copies that were asked for and could not be made, when this backup has just been made.</summary>
    public IReadOnlyList<FailedCopy> Failures { get; }

    /// <summary>The newest verification that any copy passed, else the newest; null when there was none.</summary>
    public VerificationRecord? Verification { get; }

    /// <summary>Pinned in any store; null when it is not.</summary>
    public PinRecord? Pin => Locations.Select(l => l.Pin).FirstOrDefault(p => p is not null);

    /// <summary>For people: <c>Full</c>, <c>Quick</c>, <c>FAILED</c>, or <c>-</c> when never verified; with how many copies failed theirs.</summary>
    public string Verified
    {
        get
        {
            var failed = Locations.Count(l => l.Verification is { Passed: false });
            return Verification is null ? "-" : !Verification.Passed ? "FAILED" : failed == 0 ? Verification.Level : $"{Verification.Level}, {failed} FAILED";
        }
    }

    public override string ToString() => Name;

    /// <summary>The same backup with these copies.</summary>
    internal BackupInfo With(IReadOnlyList<BackupLocation> locations, IReadOnlyList<FailedCopy> failures) => new(Manifest, ManifestSha256, Name, locations, failures);
}
