namespace MoltBeat.DR.Engine.Catalog;

/// <summary>That somebody is reading a backup, which therefore is not to be removed.</summary>
/// <param name="BackupId">The backup.</param>
/// <param name="Host">The machine that reads.</param>
/// <param name="Process">Its process id there.</param>
/// <param name="Operation">What it does, such as <c>Restore-MoltBackup</c>.</param>
/// <param name="Taken">Since when, UTC.</param>
/// <param name="Until">From when on it counts no more, UTC: a reader that died holds nothing for ever.</param>
public sealed record LeaseRecord(string BackupId, string Host, int Process, string Operation, DateTimeOffset Taken, DateTimeOffset Until);
