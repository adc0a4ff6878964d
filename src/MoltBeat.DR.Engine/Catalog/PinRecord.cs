namespace MoltBeat.DR.Engine.Catalog;

/// <summary>That a backup is to stay whatever the rules say, or no longer. The newest of a backup's records counts.</summary>
/// <param name="BackupId">The backup.</param>
/// <param name="Pinned">False takes an earlier pin back.</param>
/// <param name="Reason">Why, in the user's words.</param>
/// <param name="By">The user.</param>
/// <param name="Host">The user's machine.</param>
/// <param name="Time">When, UTC.</param>
public sealed record PinRecord(string BackupId, bool Pinned, string Reason, string By, string Host, DateTimeOffset Time) : IBackupRecord;
