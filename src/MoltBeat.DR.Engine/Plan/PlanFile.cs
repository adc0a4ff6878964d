namespace MoltBeat.DR.Engine.Plan;

/// <summary>A plan's file as it was found.</summary>
/// <param name="Path">Absolute.</param>
/// <param name="Content">All of it, but no more than a byte beyond <see cref="PlanReader.LargestFile"/>.</param>
/// <param name="Refusal">Why it must not be used; null when it may.</param>
/// <param name="Warnings">What its owner should know, as sentences.</param>
internal sealed record PlanFile(string Path, ReadOnlyMemory<byte> Content, MoltException? Refusal, IReadOnlyList<string> Warnings)
{
    private const UnixFileMode WrittenByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
    private const UnixFileMode ReadByOthers = UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <returns>Null when there is no such file.</returns>
    /// <exception cref="MoltException"><c>PlanNotReadable</c>.</exception>
    public static PlanFile? Open(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var content = new byte[PlanReader.LargestFile + 1];
            var length = file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
            var (refusal, warnings) = Judge(path, file);
            return new PlanFile(path, content.AsMemory(0, length), refusal, warnings);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new MoltException("PlanNotReadable", ErrorKind.PermissionDenied, $"The plan {path} is there, and cannot be read: {e.Message}",
                "Run as the user that it belongs to, or name another plan with -PlanPath or MOLTBEAT_PLAN.", path, e);
        }
    }

    // Whoever can write the plan, or replace it, says what is backed up, where to, and what is removed.
    private static (MoltException? Refusal, IReadOnlyList<string> Warnings) Judge(string path, FileStream file)
    {
        if (OperatingSystem.IsWindows())
        {
            return (null, []);
        }

        var folder = System.IO.Path.GetDirectoryName(path)!;
        var mode = File.GetUnixFileMode(file.SafeFileHandle);
        var folderMode = File.GetUnixFileMode(folder);
        var open = (mode & WrittenByOthers) != 0 ? path
            : (folderMode & WrittenByOthers) != 0 && !folderMode.HasFlag(UnixFileMode.StickyBit) ? folder
            : null;
        var refusal = open is null ? null : new MoltException("PlanNotPrivate", ErrorKind.PermissionDenied,
            $"The plan {path} is not used: others than its owner may write to {open}, and so decide where backups go and which are removed.", $"Look whether it is still what you wrote, then: chmod go-w '{open}'", path);
        return (refusal, (mode & ReadByOthers) != 0 ? [$"Others than its owner may read the plan {path}. Run: chmod 0600 '{path}'"] : []);
    }
}
