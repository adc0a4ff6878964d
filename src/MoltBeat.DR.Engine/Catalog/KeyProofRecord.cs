namespace MoltBeat.DR.Engine.Catalog;

/// <summary>That somebody has opened a backup's canary with a recipient's private key: so it was still there.</summary>
/// <param name="BackupId">The backup.</param>
/// <param name="Fingerprint">Of the recipient's primary key, as the backup's manifest names it.</param>
/// <param name="KeyId">Of the (sub)key that opened it: 16 hexadecimal digits.</param>
/// <param name="By">The user.</param>
/// <param name="Host">The machine that has the private key, or reaches it.</param>
/// <param name="Time">When, UTC.</param>
public sealed record KeyProofRecord(string BackupId, string Fingerprint, string KeyId, string By, string Host, DateTimeOffset Time) : IBackupRecord;
