using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>What came back into a Redis server.</summary>
public sealed class RedisRestoreResult : ExtraRestoreResult
{
    public override ExtraKind Kind => ExtraKind.Redis;

    /// <summary>The target's version.</summary>
    public required string Server { get; init; }

    /// <summary>The databases that were written to.</summary>
    public required IReadOnlyList<int> Databases { get; init; }

    /// <summary>Keys that were written.</summary>
    public required long Keys { get; init; }

    /// <summary>Those of them that were there before, and were replaced.</summary>
    public required long Replaced { get; init; }

    /// <summary>Keys whose time was up before they could be restored, and which were left out.</summary>
    public required long Expired { get; init; }

    /// <summary>Keys that were read back, with type, expiry and a value that is the backup's; null when nobody looked.</summary>
    public long? Proven { get; init; }

    /// <summary>
    /// Keys that were read back with the right expiry, and whose value's bytes are not the backup's: as when this server's version or settings store it
    /// in another form, or a client has changed it since. Null when nobody looked.
    /// </summary>
    public long? NotComparable { get; init; }

    /// <summary>UTC: the keys are as they were at some moment between these two.</summary>
    public required DateTimeOffset ReadFrom { get; init; }

    public required DateTimeOffset ReadTo { get; init; }
}
