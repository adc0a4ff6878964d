namespace MoltBeat.DR.Engine.Catalog;

/// <summary>One copy of a backup.</summary>
/// <param name="Store">The store it is in, as the plan or the user names it.</param>
/// <param name="Path">Its path or URI, which every cmdlet takes.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Verification">The newest verification of this copy; null when there was none.</param>
public sealed record BackupLocation(string Store, string Path, long Size, VerificationRecord? Verification)
{
    /// <summary>The pin that keeps it; null when there is none.</summary>
    public PinRecord? Pin { get; init; }

    /// <summary>Who is reading it now.</summary>
    public IReadOnlyList<LeaseRecord> Leases { get; init; } = [];

    /// <summary>The newest proof of each private key that opened it.</summary>
    public IReadOnlyList<KeyProofRecord> KeyProofs { get; init; } = [];

    public override string ToString() => Path;
}

/// <summary>A copy that could not be made.</summary>
/// <param name="Store">Where to.</param>
/// <param name="ErrorId">The id of what went wrong; see docs/errors.md.</param>
/// <param name="Message">What went wrong.</param>
public sealed record FailedCopy(string Store, string ErrorId, string Message)
{
    public override string ToString() => $"{Store}: {Message}";
}
