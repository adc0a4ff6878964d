using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>What an audited operation works on: filled in as it becomes known. Never takes a password.</summary>
public sealed class AuditSubject
{
    /// <summary>The database that is backed up, or whose backup it is.</summary>
    public string? Database { get; set; }

    /// <summary>The backup's file name.</summary>
    public string? Backup { get; set; }

    public string? BackupId { get; set; }

    /// <summary>What is made of it elsewhere: a database, a copy's place, a plan's file.</summary>
    public string? Target { get; set; }

    /// <summary>The database server.</summary>
    public string? Server { get; set; }

    public string? Detail { get; set; }

    /// <summary>Folders and buckets that are written to, read or removed from.</summary>
    public IReadOnlyList<string>? Stores { get; set; }

    /// <summary>The operation has done what it was to do. An error after that does not make it a failed one.</summary>
    public bool IsDone { get; set; }

    /// <summary>Stores by their locations.</summary>
    public AuditSubject In(params IEnumerable<StoreSettings> stores)
    {
        Stores = [.. stores.Select(s => s.Location).Distinct(StringComparer.Ordinal)];
        return this;
    }
}

/// <summary>What a cmdlet's operations are called in the audit log.</summary>
/// <param name="Name">One word.</param>
/// <param name="IsGuarded">It takes something away, or brings data to where people are: without a log it is refused.</param>
public sealed record AuditAction(string Name, bool IsGuarded);
