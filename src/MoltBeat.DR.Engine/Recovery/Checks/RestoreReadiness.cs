namespace MoltBeat.DR.Engine.Recovery.Checks;

/// <summary>Whether a restore can be begun: go or no-go, and everything that was looked at. Nothing was changed to find it out.</summary>
public sealed class RestoreReadiness
{
    /// <summary>No check failed.</summary>
    public bool Go => Checks.All(c => c.Status != ReadinessStatus.Fail);

    /// <summary>The database that would be made, or replaced.</summary>
    public required string Database { get; init; }

    /// <summary>Of the database that would be replaced; null when there is none.</summary>
    public uint? DatabaseOid { get; init; }

    /// <summary>Role, address and database.</summary>
    public required string Server { get; init; }

    /// <summary>For example <c>15.18</c>.</summary>
    public required string ServerVersion { get; init; }

    /// <summary>The cluster's own number, which no other cluster has, as <c>pg_controldata</c> prints it; null when the role may not ask.</summary>
    public string? SystemIdentifier { get; init; }

    public required string BackupId { get; init; }

    /// <summary>The archive.</summary>
    public required string Path { get; init; }

    /// <summary>The moment whose state would be restored, UTC.</summary>
    public required DateTimeOffset StateOf { get; init; }

    public required IReadOnlyList<ReadinessCheck> Checks { get; init; }

    public IEnumerable<ReadinessCheck> Failed => Checks.Where(c => c.Status == ReadinessStatus.Fail);

    public IEnumerable<ReadinessCheck> Warnings => Checks.Where(c => c.Status == ReadinessStatus.Warning);

    /// <summary>What the restore would do; null when a check failed.</summary>
    public RestorePlan? Plan { get; init; }
}
