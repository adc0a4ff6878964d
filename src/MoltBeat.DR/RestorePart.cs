namespace MoltBeat.DR;

/// <summary>What of a backup Restore-MoltBackup restores.</summary>
public enum RestorePart
{
    /// <summary>The database.</summary>
    Database,

    /// <summary>The application's environment files.</summary>
    Environment,

    /// <summary>The folders that it took along.</summary>
    Folders,

    /// <summary>The keys of Redis servers.</summary>
    Redis,
}
