namespace MoltBeat.DR.Engine;

/// <summary>Files that only their owner may read, and that are whole or not there.</summary>
internal static class PrivateFiles
{
    public const string PartialExtension = ".partial";

    private const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode PrivateFolder = PrivateFile | UnixFileMode.UserExecute;
    private const UnixFileMode WrittenByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Makes a folder, 0700, and makes it last.</summary>
    public static void MakeFolder(string folder)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
            return;
        }

        var missing = new Stack<string>();
        for (var at = folder; at is not null && !Directory.Exists(at); at = Path.GetDirectoryName(at))
        {
            missing.Push(at);
        }

        foreach (var made in missing)
        {
            Directory.CreateDirectory(made, PrivateFolder);
            FolderSync.Sync(Path.GetDirectoryName(made)!);
        }
    }

    /// <summary>Whether others than its owner may put files there.</summary>
    public static bool IsOpen(string folder) => !OperatingSystem.IsWindows() && Directory.Exists(folder) && (File.GetUnixFileMode(folder) & WrittenByOthers) != 0;

    /// <summary>Writes a file, synced, in place of what was there.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var partial = path + PartialExtension;
        try
        {
            using (var file = Open(partial, FileMode.Create, FileAccess.Write))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            TryDelete(partial);
            throw;
        }

        FolderSync.Sync(Path.GetDirectoryName(path)!);
    }

    /// <summary>A lock that ends with its holder, however that ends; null while somebody else has it.</summary>
    /// <param name="path">Its file, which stays.</param>
    public static FileStream? TryLock(string path)
    {
        try
        {
            return Open(path, FileMode.OpenOrCreate, FileAccess.ReadWrite);
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException) && (e.HResult & 0xffff) is 11 or 35 or 32)
        {
            // EWOULDBLOCK of flock (11; macOS 35); ERROR_SHARING_VIOLATION.
            return null;
        }
    }

    public static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What went wrong before is the thing to tell.
        }
    }

    private static FileStream Open(string path, FileMode mode, FileAccess access)
    {
        var options = new FileStreamOptions { Mode = mode, Access = access, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = PrivateFile;
        }

        return new FileStream(path, options);
    }
}
