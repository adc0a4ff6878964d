namespace MoltBeat.TestServers;

/// <summary>
/// The folder of one throwaway server, directly under the temporary folder: a unix socket's path may have about 100 bytes only.
/// A locked file in it tells later runs whether its owner still lives, so that they can sweep what a crashed run left.
/// </summary>
internal sealed class ServerFolder : IDisposable
{
    private const string Prefix = "molt-test-";
    private const string LockName = "owner.lock";

    private static readonly Lazy<int> s_swept = new(() => Sweep(TimeSpan.FromMinutes(1)));

    private readonly FileStream _lock;

    private ServerFolder(string path, FileStream @lock)
    {
        Path = path;
        _lock = @lock;
    }

    internal string Path { get; }

    private static string Parent
    {
        get
        {
            var temporary = System.IO.Path.GetTempPath();
            return temporary.Length <= 40 ? temporary : "/tmp";
        }
    }

    internal static ServerFolder Create()
    {
        _ = s_swept.Value;
        var path = System.IO.Path.Combine(Parent, Prefix + Guid.NewGuid().ToString("N")[..12]);
        Directory.CreateDirectory(path);
        // The service user must get through it whatever our umask is.
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        return new ServerFolder(path, Lock(path, FileMode.CreateNew));
    }

    /// <summary>A path in this folder.</summary>
    internal string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose()
    {
        Remove(Path);
        _lock.Dispose();
    }

    /// <summary>Removes folders whose owner is gone; only those older than <paramref name="age"/>, as a new one gets its lock a moment later.</summary>
    /// <returns>How many were removed.</returns>
    internal static int Sweep(TimeSpan age)
    {
        var removed = 0;
        foreach (var path in Directory.EnumerateDirectories(Parent, Prefix + "*"))
        {
            try
            {
                if (Directory.GetCreationTimeUtc(path) > DateTime.UtcNow - age)
                    continue;
                using var ours = Lock(path, FileMode.OpenOrCreate);
                Remove(path);
                removed++;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Alive, another user's, or being swept by another run.
            }
        }

        return removed;
    }

    private static FileStream Lock(string folder, FileMode mode) =>
        new(System.IO.Path.Combine(folder, LockName), mode, FileAccess.ReadWrite, FileShare.None);

    private static void Remove(string path)
    {
        // A server that was killed may still have a child that writes its last file.
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Directory.Delete(path, recursive: true);
                return;
            }
            catch (DirectoryNotFoundException)
            {
                return;
            }
            catch (IOException) when (attempt < 10)
            {
                Thread.Sleep(50);
            }
        }
    }
}
