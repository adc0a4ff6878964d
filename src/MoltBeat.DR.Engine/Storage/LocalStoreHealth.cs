using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>How a folder of backups is.</summary>
internal sealed class LocalStoreHealth(StoreSettings settings) : IStoreHealth
{
    private const UnixFileMode OpenToOthers = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private readonly string folder = Path.GetFullPath(settings.Folder!);

    public Task<StoreHealthResult> CheckAsync(StoreHealthOptions options, CancellationToken cancellationToken)
        => Task.Run(() => Check(options, cancellationToken), cancellationToken);

    public async Task<StoreHealthResult> RepairAsync(StoreHealthResult found, IReadOnlyCollection<Leftover> chosen, CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        var removed = new List<Leftover>();
        foreach (var leftover in chosen.Where(l => l.IsStale))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Remove(leftover))
            {
                removed.Add(leftover);
            }
        }

        return HealthReport.After(found, removed);
    }

    private StoreHealthResult Check(StoreHealthOptions options, CancellationToken cancellationToken)
    {
        var report = new HealthReport(settings, options);
        var reachable = Reach();
        report.Add("Reachable", "The folder is there and can be listed.", reachable);
        HealthFinding IfReachable(Func<HealthFinding> look) => reachable.Status == HealthStatus.Passed ? look() : HealthFinding.Unknown("the folder cannot be listed");

        // The time that the file system gave the probe: a network folder's clock is its server's.
        DateTimeOffset? now = null;
        report.Add("Writable", "A file can be written, synced and removed.", IfReachable(() => Probe(out now)));
        report.Add("FreeSpace", "The next backup fits.", IfReachable(() => Space(options.NewestSize)));
        report.Add("Permissions", "Nobody but the owner can look into the folder.", IfReachable(Permissions));
        cancellationToken.ThrowIfCancellationRequested();
        if (reachable.Status != HealthStatus.Passed)
        {
            return report.End(null, "the folder cannot be listed");
        }

        try
        {
            return report.End(Leftovers(now ?? DateTimeOffset.UtcNow));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return report.End(null, e.Message);
        }
    }

    private HealthFinding Reach()
    {
        try
        {
            using var entries = Directory.EnumerateFileSystemEntries(folder).GetEnumerator();
            return HealthFinding.Passed(entries.MoveNext() ? "it can be listed" : "it can be listed, and is empty");
        }
        catch (DirectoryNotFoundException)
        {
            return HealthFinding.Failed($"there is no folder {folder}", "Name another folder, or mount the disk that it is on. The first backup makes it, when it is only new.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return HealthFinding.Failed(e.Message, "Run as the user that owns the backups, and check that the path is a folder.");
        }
    }

    private HealthFinding Probe(out DateTimeOffset? now)
    {
        now = null;
        var path = Path.Combine(folder, StoreHealth.ProbePrefix + Guid.NewGuid().ToString("N"));
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            try
            {
                using var file = new FileStream(path, options);
                file.Write("probe"u8);
                file.Flush(flushToDisk: true);
            }
            catch
            {
                File.Delete(path);
                throw;
            }

            now = new DateTimeOffset(File.GetLastWriteTimeUtc(path), TimeSpan.Zero);
            File.Delete(path);
            return HealthFinding.Passed("a probe was written, synced and removed");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var trouble = LocalStore.NotWritable(folder, e);
            return HealthFinding.Failed(trouble.Message, trouble.Remedy!);
        }
    }

    private HealthFinding Space(long? newest)
    {
        long free;
        try
        {
            free = new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return HealthFinding.Unknown($"the file system does not say how much is free: {e.Message}");
        }

        if (newest is not { } size)
        {
            return HealthFinding.Unknown($"{Sizes.Text(free)} are free; there is no backup yet to judge the next one by", "Make a backup first.");
        }

        // A fifth more than the newest: databases grow.
        var expected = (long)(size * 1.2);
        return free >= expected
            ? HealthFinding.Passed($"{Sizes.Text(free)} are free, {Sizes.Text(expected)} are expected")
            : HealthFinding.Failed($"{Sizes.Text(free)} are free, {Sizes.Text(expected)} are expected", "Free space there, keep backups for a shorter time, or use another disk.");
    }

    private HealthFinding Permissions()
    {
        if (OperatingSystem.IsWindows())
        {
            return HealthFinding.Unknown("Windows has access control lists, which are not looked at", "See them with Get-Acl.");
        }

        var mode = File.GetUnixFileMode(folder);
        return (mode & OpenToOthers) == 0
            ? HealthFinding.Passed(Convert.ToString((int)mode, 8).PadLeft(4, '0'))
            : HealthFinding.Failed($"it is open to other users: {Convert.ToString((int)mode, 8).PadLeft(4, '0')}", $"chmod 700 '{folder}'");
    }

    private List<Leftover> Leftovers(DateTimeOffset now)
    {
        var root = new DirectoryInfo(folder);
        var partial = root.EnumerateFiles("*" + ArchiveFormat.Extension + ArchiveFormat.PartialExtension)
            .Concat(root.EnumerateDirectories("*" + ArchiveFormat.Extension + ".records").Where(d => d.LinkTarget is null)
                .SelectMany(d => d.EnumerateFiles("*" + ArchiveFormat.PartialExtension)))
            .Select(f => (File: f, Kind: LeftoverKind.PartialFile));
        var probes = root.EnumerateFiles(StoreHealth.ProbePrefix + "*").Select(f => (File: f, Kind: LeftoverKind.Probe));
        var leftovers = new List<Leftover>();
        foreach (var (file, kind) in partial.Concat(probes))
        {
            try
            {
                var since = new DateTimeOffset(file.LastWriteTimeUtc, TimeSpan.Zero);
                leftovers.Add(new Leftover(kind, Path.GetRelativePath(folder, file.FullName), file.FullName, null, file.Length, since, now - since));
            }
            catch (FileNotFoundException)
            {
                // Finished, or removed, since it was listed.
            }
        }

        return leftovers;
    }

    /// <summary>False when it is gone already, or somebody still writes it after all.</summary>
    private static bool Remove(Leftover leftover)
    {
        try
        {
            // A writer holds its file locked; a dead one's lock is gone with it.
            using (new FileStream(leftover.Location, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            {
                File.Delete(leftover.Location);
            }

            return true;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
        catch (UnauthorizedAccessException e)
        {
            throw new MoltException("LeftoverNotRemoved", ErrorKind.Failed, $"Cannot remove {leftover.Location}: {e.Message}", "Run as the user that owns the backups.", leftover.Location, e);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
