using System.Management.Automation;

namespace MoltBeat.DR;

/// <summary>Where backups are kept when nobody says: -Path, else BACKUP_DIR, else the folder of the plan.</summary>
internal static class BackupFolder
{
    public const string Default = "/var/backups/moltbeat";

    /// <summary>The folder as an absolute path of the file system, relative to the session's own location.</summary>
    public static string Resolve(PSCmdlet cmdlet, string? path)
    {
        var chosen = !string.IsNullOrEmpty(path) ? path
            : Environment.GetEnvironmentVariable("BACKUP_DIR") is { Length: > 0 } variable ? variable
            : Default;
        return cmdlet.GetUnresolvedProviderPathFromPSPath(chosen);
    }
}
