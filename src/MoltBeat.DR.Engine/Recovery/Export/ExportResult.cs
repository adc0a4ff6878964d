namespace MoltBeat.DR.Engine.Recovery.Export;

/// <summary>What a backup is written out as.</summary>
public enum ExportForm
{
    /// <summary>One compressed file of SQL, which psql takes.</summary>
    Sql,

    /// <summary>A folder with the backup's members, decrypted, and a script that restores them with stock tools.</summary>
    Folder,
}

/// <summary>What an export has written.</summary>
/// <param name="Path">The file or folder.</param>
/// <param name="Form">Which of the two.</param>
/// <param name="BackupId">The backup's id.</param>
/// <param name="Database">The database that was backed up.</param>
/// <param name="StateOf">The moment whose state it holds, UTC.</param>
/// <param name="Bytes">Bytes written.</param>
/// <param name="WasEncrypted">The backup is encrypted; what was written is not.</param>
/// <param name="Duration">How long it took.</param>
public sealed record ExportResult(string Path, ExportForm Form, string BackupId, string Database, DateTimeOffset StateOf, long Bytes, bool WasEncrypted, TimeSpan Duration);
