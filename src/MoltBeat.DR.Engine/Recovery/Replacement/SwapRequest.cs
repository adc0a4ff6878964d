using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>Which database is to give its name to which.</summary>
internal sealed record SwapRequest
{
    /// <summary>The name that changes hands.</summary>
    public required string Name { get; init; }

    /// <summary>The database that has it, and no other that may have got it meanwhile; null when there is none any more.</summary>
    public required uint? Oid { get; init; }

    /// <summary>The name of the database that gets it.</summary>
    public required string Incoming { get; init; }

    public required uint IncomingOid { get; init; }

    /// <summary>The id of the backup that the incoming one was made of.</summary>
    public string? BackupId { get; init; }

    /// <summary>How long to wait for a backup of the database that is to go.</summary>
    public TimeSpan BackupWait { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Runs in the transaction of the swap, when both have their new names: (session, name of the one before or null, token).</summary>
    public Func<NpgsqlConnection, string?, CancellationToken, Task>? Finish { get; init; }
}
