using System.Runtime.InteropServices;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Asks whether files can be made in a folder without making one. On Windows only making one would tell, so nothing is asked.</summary>
internal static partial class FolderAccess
{
    private const int WriteAndSearch = 2 | 1;

    /// <exception cref="IOException">This user cannot write into it, or its file system is read-only.</exception>
    public static void CheckWritable(string folder)
    {
        if (!OperatingSystem.IsWindows() && Access(folder, WriteAndSearch) != 0)
        {
            throw new IOException($"{Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    /// <summary>For a folder that is not there yet.</summary>
    /// <exception cref="IOException">The nearest folder above it is not writable, or is no folder.</exception>
    public static void CheckMakeable(string folder)
    {
        for (var above = folder; above is not null; above = Path.GetDirectoryName(above))
        {
            if (Directory.Exists(above))
            {
                CheckWritable(above);
                return;
            }

            if (File.Exists(above))
            {
                throw new IOException($"{above} is a file.");
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Access(string path, int mode);
}
