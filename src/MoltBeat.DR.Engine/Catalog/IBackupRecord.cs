namespace MoltBeat.DR.Engine.Catalog;

/// <summary>What was learnt of a backup, or decided, and is kept beside it: a verification, a pin, a key's proof.</summary>
public interface IBackupRecord
{
    /// <summary>The backup that it is about.</summary>
    string BackupId { get; }

    /// <summary>When, UTC.</summary>
    DateTimeOffset Time { get; }
}
