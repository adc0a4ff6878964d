using System.Security.Cryptography;
using System.Text;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>
/// Ends of archives and records that were read from far away, kept on this machine: both never change under one version.
/// Only ever a gain: whatever goes wrong with it counts as not there, and what it gives is checked like what a store gives.
/// </summary>
internal sealed class TailCache
{
    private const string Extension = ".tail";
    private static readonly TimeSpan Forgotten = TimeSpan.FromDays(60);
    private readonly string? folder;

    public TailCache()
        : this(DefaultFolder())
    {
    }

    /// <param name="folder">Where; null for no cache.</param>
    public TailCache(string? folder)
    {
        this.folder = folder;
    }

    public byte[]? Get(params string[] key)
    {
        try
        {
            return folder is null ? null : File.ReadAllBytes(PathOf(key));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public void Put(ReadOnlySpan<byte> content, params string[] key)
    {
        if (folder is null)
        {
            return;
        }

        try
        {
            if (!Directory.Exists(folder))
            {
                if (OperatingSystem.IsWindows())
                {
                    Directory.CreateDirectory(folder);
                }
                else
                {
                    Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                }
            }

            var partial = Path.Combine(folder, Path.GetRandomFileName());
            File.WriteAllBytes(partial, content);
            File.Move(partial, PathOf(key), overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk or a folder of somebody else: then there is no cache.
        }
    }

    /// <summary>Removes what nobody has asked for in a long time.</summary>
    public void Prune()
    {
        try
        {
            foreach (var file in folder is null || !Directory.Exists(folder) ? [] : new DirectoryInfo(folder).GetFiles())
            {
                if (file.LastAccessTimeUtc < DateTime.UtcNow - Forgotten)
                {
                    file.Delete();
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody else's to clean.
        }
    }

    /// <summary>XDG_CACHE_HOME or ~/.cache, on Windows the local application data.</summary>
    private static string? DefaultFolder()
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify);
        var caches = OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg ? xdg
            : home.Length > 0 ? Path.Combine(home, ".cache") : "";
        return Path.IsPathRooted(caches) ? Path.Combine(caches, "moltbeat-dr") : null;
    }

    private string PathOf(string[] key)
        => Path.Combine(folder!, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', key)))) + Extension);
}
