using System.Runtime.InteropServices;

namespace MoltBeat.DR.Engine;

/// <summary>
/// Makes a rename in a folder durable: fsync of the folder itself, which .NET offers no way to ask for.
/// Windows needs none: NTFS journals the rename.
/// </summary>
internal static partial class FolderSync
{
    public static void Sync(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        var fd = Open(folder, 0);
        if (fd < 0)
        {
            throw new IOException($"Cannot open the folder {folder} to sync it (errno {Marshal.GetLastPInvokeError()}).");
        }

        try
        {
            // EINVAL: a file system that has no such thing to sync (some network and FUSE ones).
            if (Fsync(fd) != 0 && Marshal.GetLastPInvokeError() != 22)
            {
                throw new IOException($"Cannot sync the folder {folder} (errno {Marshal.GetLastPInvokeError()}).");
            }
        }
        finally
        {
            _ = Close(fd);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(int fd);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int fd);
}
