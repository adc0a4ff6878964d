using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR;

/// <summary>A backup named by its path.</summary>
internal static class BackupItem
{
    /// <summary>The store and the file name in it.</summary>
    /// <exception cref="MoltException"><c>BackupNotFound</c> when the path names a folder.</exception>
    public static (LocalStore Store, string Name) Resolve(PSCmdlet cmdlet, string path)
    {
        var full = cmdlet.GetUnresolvedProviderPathFromPSPath(path);
        if (Directory.Exists(full))
        {
            throw new MoltException("BackupNotFound", ErrorKind.NotFound, $"{full} is a folder, not a backup.", $"Choose one from it: Get-MoltBackup -Path '{full}' -Latest.", full);
        }

        return (new LocalStore(Path.GetDirectoryName(full)!), Path.GetFileName(full));
    }
}
