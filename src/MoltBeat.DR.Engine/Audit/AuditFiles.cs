using System.Globalization;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>The files of an audit log's folder.</summary>
internal static class AuditFiles
{
    public const string CurrentName = "audit.jsonl";
    private const string Extension = ".jsonl";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static string Current(string folder) => Path.Combine(folder, CurrentName);

    public static string Head(string folder) => Path.Combine(folder, "audit.head");

    public static string Lock(string folder) => Path.Combine(folder, "audit.lock");

    /// <summary>What a full file is called from then on: with the time and the number of its first line.</summary>
    public static string RotatedName(AuditRecord first)
        => string.Create(CultureInfo.InvariantCulture, $"audit-{first.Time.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{first.Sequence:D12}{Extension}");

    /// <summary>The number of a rotated file's first line, by its name; null for any other file.</summary>
    public static long? FirstSequence(string path)
    {
        var name = Path.GetFileName(path);
        var dash = name.LastIndexOf('-');
        return name.StartsWith("audit-", StringComparison.Ordinal) && name.EndsWith(Extension, StringComparison.Ordinal) && dash > "audit-".Length
            && long.TryParse(name.AsSpan(dash + 1, name.Length - dash - 1 - Extension.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var sequence) ? sequence : null;
    }

    /// <summary>Rotated files, the oldest first.</summary>
    public static List<string> Rotated(string folder)
        => [.. Directory.EnumerateFiles(folder, "audit-*" + Extension).Select(f => (File: f, First: FirstSequence(f))).Where(f => f.First is not null).OrderBy(f => f.First).ThenBy(f => f.File, StringComparer.Ordinal).Select(f => f.File)];

    /// <summary>All files that hold lines, the oldest first.</summary>
    public static List<string> All(string folder) => File.Exists(Current(folder)) ? [.. Rotated(folder), Current(folder)] : Rotated(folder);

    /// <summary>Opens a file; one that is made is 0600.</summary>
    public static FileStream Open(string path, FileMode mode, FileAccess access, FileShare share)
    {
        var options = new FileStreamOptions { Mode = mode, Access = access, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows() && mode is not (FileMode.Open or FileMode.Truncate))
        {
            options.UnixCreateMode = Private;
        }

        return new FileStream(path, options);
    }

    /// <summary>Waits for a lock that ends with its holder, however that ends: a file that nobody else has open.</summary>
    /// <param name="path">The lock's file; it stays.</param>
    /// <param name="patience">How long to wait.</param>
    /// <exception cref="TimeoutException">Others held it all the time.</exception>
    public static FileStream Take(string path, TimeSpan patience)
    {
        var until = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (true)
        {
            try
            {
                return Open(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (IsTaken(e))
            {
                if (Environment.TickCount64 > until)
                {
                    throw new TimeoutException($"other processes held {path} for {patience.TotalSeconds.ToString("0", CultureInfo.InvariantCulture)} s", e);
                }
            }

            // Not all at the same moments.
            Thread.Sleep(Random.Shared.Next(1, 10));
        }
    }

    // EWOULDBLOCK of flock (11; macOS 35); ERROR_SHARING_VIOLATION.
    private static bool IsTaken(IOException e) => e is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException) && (e.HResult & 0xffff) is 11 or 35 or 32;
}
