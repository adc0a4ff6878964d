using System.Globalization;
using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Application;

/// <summary>Finds environment files, and gives each a name that no other has.</summary>
public static class EnvironmentFiles
{
    /// <summary>Bytes; what is larger holds no variables.</summary>
    public const int LargestFile = 1 << 20;

    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, MatchType = MatchType.Simple, MatchCasing = MatchCasing.CaseSensitive, IgnoreInaccessible = false };

    /// <summary>Captures for the files that are named.</summary>
    /// <param name="files">Absolute paths, with wildcards or without.</param>
    /// <exception cref="MoltException"><c>EnvironmentFileNotFound</c>, <c>EnvironmentFileInvalid</c>, <c>EnvironmentFileTooLarge</c>, <c>EnvironmentFileNotReadable</c>.</exception>
    public static IReadOnlyList<EnvironmentCapture> Find(IEnumerable<PlannedFile> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        var captures = new List<EnvironmentCapture>();
        var paths = new HashSet<string>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var file in files)
        {
            var found = Paths(file);
            foreach (var path in found)
            {
                if (paths.Add(path))
                {
                    Check(path);
                    captures.Add(new EnvironmentCapture(Unique(path, file.Name, found.Count > 1, names), path));
                }
            }
        }

        return captures;
    }

    /// <summary>Reads a file, but never more than the largest that is taken.</summary>
    /// <exception cref="MoltException">As of <see cref="Find"/>.</exception>
    internal static (byte[] Content, FileFacts Facts) Read(string path)
    {
        Check(path);
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            var facts = UnixFile.Look(file.SafeFileHandle);
            if (facts.Kind != FileKind.Regular)
            {
                throw Invalid(path);
            }

            var buffer = new byte[Math.Min(facts.Length, LargestFile) + 1];
            try
            {
                var length = file.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
                return length > LargestFile ? throw TooLarge(path, facts.Length)
                    : length == facts.Length && facts.Unchanged(UnixFile.Look(file.SafeFileHandle)) ? (buffer[..length], facts)
                    : throw new MoltException("EnvironmentFileChanging", ErrorKind.Busy, $"{path} was written to while it was read.", "Back up again when it is at rest.", path);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(buffer);
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw NotFound(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(path, e);
        }
    }

    private static List<string> Paths(PlannedFile file)
    {
        if (!file.Path.AsSpan().ContainsAny('*', '?'))
        {
            return [Path.GetFullPath(file.Path)];
        }

        var root = Path.GetPathRoot(file.Path)!;
        var folders = new List<string> { root };
        var segments = file.Path[root.Length..].Split(['/', Path.DirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
        try
        {
            foreach (var segment in segments[..^1])
            {
                folders = segment.AsSpan().ContainsAny('*', '?')
                    ? [.. folders.Where(Directory.Exists).SelectMany(f => Directory.EnumerateDirectories(f, segment, All)).Order(StringComparer.Ordinal)]
                    : folders.ConvertAll(f => Path.GetFullPath(Path.Combine(f, segment)));
            }

            // A pattern finds files only: who writes .env* does not mean a folder .env.d.
            var found = folders.Where(Directory.Exists).SelectMany(f => Directory.EnumerateFiles(f, segments[^1], All)).Order(StringComparer.Ordinal).ToList();
            return found.Count > 0 ? found : throw NotFound(file.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(file.Path, e);
        }
    }

    private static void Check(string path)
    {
        try
        {
            var facts = UnixFile.Look(path, follow: true) ?? throw NotFound(path);
            if (facts.Kind != FileKind.Regular)
            {
                throw Invalid(path); // before it is opened: a named pipe would wait for its writer for ever
            }

            if (facts.Length > LargestFile)
            {
                throw TooLarge(path, facts.Length);
            }

            using var opened = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(path, e);
        }
    }

    /// <summary>The plan's name, else the file's; with folders' names before it until nobody else has it.</summary>
    private static string Unique(string path, string? planned, bool several, HashSet<string> names)
    {
        var file = Path.GetFileName(path);
        var folders = Path.GetDirectoryName(path)!.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
        var name = planned is not null ? several ? $"{planned}-{file.TrimStart('.')}" : planned : file;
        var taken = folders.Length;
        if (planned is null && file.StartsWith('.') && taken > 0)
        {
            name = folders[--taken] + name;
        }

        while (!names.Add(ExtraNames.Safe(name)))
        {
            name = taken > 0 ? folders[--taken] + "_" + name : string.Create(CultureInfo.InvariantCulture, $"{file}_{names.Count + 1}");
        }

        return name;
    }

    private static MoltException NotFound(string path)
        => new("EnvironmentFileNotFound", ErrorKind.NotFound, $"There is no file {path}.", "Correct -EnvironmentFile or the plan's environment, or make the file. A backup without it is not made.", path);

    private static MoltException Invalid(string path)
        => new("EnvironmentFileInvalid", ErrorKind.InvalidData, $"{path} is a folder, a device or a pipe, and no file.", "Name the file itself. For a folder there is -Folder.", path);

    private static MoltException TooLarge(string path, long length)
        => new("EnvironmentFileTooLarge", ErrorKind.InvalidData, string.Create(CultureInfo.InvariantCulture, $"{path} has {length:N0} bytes; an environment file has {LargestFile:N0} at most."),
            "Name the right file. Other files belong into a folder that -Folder takes along.", path);

    private static MoltException NotReadable(string path, Exception e)
        => new("EnvironmentFileNotReadable", ErrorKind.PermissionDenied, $"{path} cannot be read: {e.Message}", "Run as a user that may read it. A backup without it is not made.", path, e);
}
