using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>One backup, as its manifest and its records tell of it.</summary>
public sealed class BackupInfo
{
    internal BackupInfo(Manifest manifest, string name, string path, long size, VerificationRecord? verification)
    {
        Id = manifest.Id;
        Database = manifest.Database;
        Kind = manifest.Kind;
        Created = manifest.Created;
        Duration = manifest.Completed - manifest.Created;
        Size = size;
        RawSize = manifest.RawBytes;
        Rows = manifest.Rows;
        Tables = manifest.Tables;
        ServerVersion = manifest.Server.Version;
        Notes = manifest.Notes;
        Name = name;
        Path = path;
        Verification = verification;
    }

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

    /// <summary>What it does not hold and why; empty when it holds all.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>File name.</summary>
    public string Name { get; }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>The newest verification; null when there was none.</summary>
    public VerificationRecord? Verification { get; }

    /// <summary>For people: <c>Full</c>, <c>Quick</c>, <c>FAILED</c>, or <c>-</c> when never verified.</summary>
    public string Verified => Verification is null ? "-" : Verification.Passed ? Verification.Level : "FAILED";

    public override string ToString() => Name;
}
