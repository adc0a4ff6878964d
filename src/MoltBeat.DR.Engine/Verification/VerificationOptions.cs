using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Verification;

public sealed record VerificationOptions
{
    public VerificationLevel Level { get; init; } = VerificationLevel.Quick;

    /// <summary>Opens encrypted members, and says whose signature is believed.</summary>
    public ArchiveAccess? Access { get; init; }

    /// <summary>SHA-256 of members' plain bytes, by their plain names: each of these members is opened too, and held against it.</summary>
    internal IReadOnlyDictionary<string, string>? PlainDigests { get; init; }

    /// <summary>Older than this fails; null asks for no age.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>Fewer bytes than this fail.</summary>
    public long MinimumSize { get; init; } = 1;

    /// <summary>Parts decompressed and digested at once.</summary>
    public int Jobs { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>The only folder to look for pg_restore in; null for PATH and the usual ones.</summary>
    public string? ClientToolFolder { get; init; }

    /// <summary>Whether the system has files that lie in memory; null to ask it. Tests of other systems say no.</summary>
    internal bool? HasMemoryFiles { get; init; }
}
