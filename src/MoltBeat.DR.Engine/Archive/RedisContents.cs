namespace MoltBeat.DR.Engine.Archive;

/// <summary>What a backup knows of the Redis keys in it, beside their number.</summary>
public sealed record RedisContents
{
    /// <summary>The server they came from, as <c>Redis 7.0.15</c>.</summary>
    public required string Server { get; init; }

    /// <summary>Version of the payloads that DUMP gave; a server that knows only lower ones cannot take them. 0 without keys.</summary>
    public required int PayloadVersion { get; init; }

    /// <summary>UTC: when the first keys were read, and the last. Each key shows a moment between the two; there is no snapshot of them all.</summary>
    public required DateTimeOffset Began { get; init; }

    public required DateTimeOffset Ended { get; init; }

    public required IReadOnlyList<RedisDatabaseContents> Databases { get; init; }

    /// <summary>Bytes of the largest payload.</summary>
    public required long LargestPayload { get; init; }

    /// <summary>Why only some of the keys are here, in a backup that may do without; null when all are.</summary>
    public string? Incomplete { get; init; }
}

/// <param name="Number">The database's number.</param>
/// <param name="Keys">Keys of it in the backup; one that came again while it was read counts again.</param>
/// <param name="Expiring">Those of them that have a time to live.</param>
public sealed record RedisDatabaseContents(int Number, long Keys, long Expiring);
