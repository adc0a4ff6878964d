using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application;

/// <summary>A folder that was restored: it holds exactly what was backed up of it.</summary>
public sealed class FolderRestoreResult : ExtraRestoreResult
{
    public override ExtraKind Kind => ExtraKind.Folder;

    /// <summary>Files, those with several names once for each.</summary>
    public required long Files { get; init; }

    /// <summary>Folders, the folder itself among them.</summary>
    public required long Folders { get; init; }

    /// <summary>Symbolic links.</summary>
    public required long Links { get; init; }

    /// <summary>Of all files.</summary>
    public required long Bytes { get; init; }

    /// <summary>Where the folder is kept that was replaced; null when none was.</summary>
    public string? Kept { get; init; }

    /// <summary>What the backup lacks, and what could not be restored of modes and owners, as sentences.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
