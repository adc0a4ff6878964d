using System.Runtime.CompilerServices;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Backups in a folder of this machine: the folder 0700, every file 0600, published by rename.</summary>
public sealed class LocalStore : IBackupStore
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode OpenToOthers = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private readonly string folder;

    /// <param name="settings">Of a folder, which need not exist until something is written.</param>
    public LocalStore(StoreSettings settings)
    {
        Settings = settings;
        folder = Path.GetFullPath(settings.Folder!);
    }

    /// <param name="folder">An absolute path; need not exist until something is written.</param>
    public LocalStore(string folder)
        : this(new StoreSettings { Name = folder, Folder = folder })
    {
    }

    public StoreSettings Settings { get; }

    /// <inheritdoc/>
    public Task<string?> CheckWritableAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (!Directory.Exists(folder))
            {
                FolderAccess.CheckMakeable(folder);
                return Task.FromResult<string?>(null);
            }

            FolderAccess.CheckWritable(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(folder, e);
        }

        if (OperatingSystem.IsWindows())
        {
            return Task.FromResult<string?>(null);
        }

        try
        {
            var mode = File.GetUnixFileMode(folder);
            return Task.FromResult((mode & OpenToOthers) == 0 ? null
                : $"The backup folder {folder} is open to other users ({Convert.ToString((int)mode, 8)}); it should be 0700: chmod 700 '{folder}'.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(folder, e);
        }
    }

    public void Dispose()
    {
        // Holds nothing open between calls.
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredFile> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        FileInfo[] files;
        try
        {
            files = new DirectoryInfo(folder).GetFiles("*" + ArchiveFormat.Extension);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new MoltException("StoreNotFound", ErrorKind.NotFound, $"There is no folder {folder}.",
                "Name the folder that holds the backups with -Path or BACKUP_DIR.", folder, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(folder, e);
        }

        foreach (var file in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (LengthOf(file) is { } length)
            {
                yield return new StoredFile(file.Name, file.FullName, length);
            }
        }
    }

    /// <inheritdoc/>
    public Task<StoredFile> FindAsync(string name, CancellationToken cancellationToken)
    {
        using var input = LocalInput.Open(PathOf(name));
        return Task.FromResult(new StoredFile(name, input.Location, input.Length));
    }

    /// <inheritdoc/>
    public Task<IArchiveInput> OpenAsync(StoredFile file, bool manifestOnly, CancellationToken cancellationToken)
        => Task.FromResult<IArchiveInput>(LocalInput.Open(PathOf(file.Name)));

    /// <inheritdoc/>
    public Task<IArchiveOutput> CreateAsync(string name, NewArchive plan, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        if (File.Exists(path))
        {
            throw LocalOutput.Exists(path);
        }

        MakeFolder();
        return Task.FromResult<IArchiveOutput>(LocalOutput.Create(path));
    }

    /// <inheritdoc/>
    public Task<IArchiveOutput> ResumeAsync(string name, NewArchive plan, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        if (File.Exists(path))
        {
            throw LocalOutput.Exists(path);
        }

        MakeFolder();
        return Task.FromResult<IArchiveOutput>(LocalOutput.Resume(path));
    }

    /// <inheritdoc/>
    public async Task PutRecordAsync(string archive, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var records = PathOf(archive) + ".records";
        try
        {
            await PutAsync(records, name, content, cancellationToken).ConfigureAwait(false);
        }
        catch (MoltException e) when (e.InnerException is DirectoryNotFoundException)
        {
            // Somebody has removed the last record, and the folder with it, since it was looked for.
            await PutAsync(records, name, content, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(records, e);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<(string Name, byte[] Content)> RecordsAsync(StoredFile file, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var records = new DirectoryInfo(PathOf(file.Name) + ".records");
        FileInfo[]? files;
        try
        {
            files = records.Exists ? records.GetFiles("*.json") : [];
        }
        catch (DirectoryNotFoundException)
        {
            yield break;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            files = null;
        }

        if (files is null)
        {
            // Nobody can tell whether a pin is among them, so one is.
            yield return ("unreadable_pin_.json", []);
            yield break;
        }

        foreach (var record in files)
        {
            byte[] content;
            try
            {
                content = record.Length <= 1 << 20 ? await File.ReadAllBytesAsync(record.FullName, cancellationToken).ConfigureAwait(false) : [];
            }
            catch (FileNotFoundException)
            {
                continue;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                content = [];
            }

            yield return (record.Name, content);
        }
    }

    /// <inheritdoc/>
    public Task DeleteRecordAsync(string archive, string name, CancellationToken cancellationToken)
    {
        var records = PathOf(archive) + ".records";
        var path = Path.Combine(records, Path.GetFileName(PathOf(name)));
        try
        {
            File.Delete(path);
            if (Directory.Exists(records) && !Directory.EnumerateFileSystemEntries(records).Any())
            {
                Directory.Delete(records);
            }
        }
        catch (DirectoryNotFoundException)
        {
            // Not one record is there.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(path, e);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        try
        {
            File.Delete(path);
            FolderSync.Sync(folder);
            if (Directory.Exists(path + ".records"))
            {
                Directory.Delete(path + ".records", recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(path, e);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<DateTimeOffset?> LockedUntilAsync(string name, CancellationToken cancellationToken) => Task.FromResult<DateTimeOffset?>(null);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> SweepAsync(string prefix, CancellationToken cancellationToken)
    {
        var swept = new List<string>();
        string[] partial;
        try
        {
            partial = Directory.GetFiles(folder, prefix + "*" + ArchiveFormat.Extension + ArchiveFormat.PartialExtension);
        }
        catch (DirectoryNotFoundException)
        {
            return Task.FromResult<IReadOnlyList<string>>([]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(folder, e);
        }

        foreach (var path in partial)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                // A writer holds its file locked (FileShare.None); a dead one's lock is gone with it.
                using (new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                {
                    File.Delete(path);
                }

                swept.Add(path);
            }
            catch (IOException)
            {
                // In use: another backup is writing it.
            }
            catch (UnauthorizedAccessException)
            {
                // Another user's: not ours to remove.
            }
        }

        return Task.FromResult<IReadOnlyList<string>>(swept);
    }

    internal static MoltException NotWritable(string path, Exception e)
        => IsFull(e)
            ? new MoltException("StoreFull", ErrorKind.ResourceFull, $"There is no space left for {path}.",
                "Free space there, or back up to another place. Nothing of the unfinished backup is left.", path, e)
            : new MoltException("StoreNotWritable", ErrorKind.PermissionDenied, $"Cannot write {path}: {e.Message}",
                "Make it writable to this user, or name another folder with -Path or BACKUP_DIR.", path, e);

    internal static MoltException NotReadable(string path, Exception e)
        => new("StoreNotReadable", ErrorKind.PermissionDenied, $"Cannot read {path}: {e.Message}", "Run as the user that owns the backups.", path, e);

    // ENOSPC (28), EDQUOT (122), ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL.
    private static bool IsFull(Exception e)
        => e is IOException io && ((io.HResult & 0xffff) is 28 or 122 or 112 or 39 || io.Message.Contains("No space left", StringComparison.Ordinal));

    private static async Task PutAsync(string records, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        MakePrivate(records);
        var output = LocalOutput.Create(Path.Combine(records, name));
        await using (output.ConfigureAwait(false))
        {
            await output.AppendAsync(content, cancellationToken).ConfigureAwait(false);
            await output.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void MakeFolder()
    {
        try
        {
            MakePrivate(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(folder, e);
        }
    }

    /// <summary>Leaves a folder that is there as it is.</summary>
    private static void MakePrivate(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, Private);
        }
    }

    /// <summary>Null when it has been removed since it was listed.</summary>
    private static long? LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private string PathOf(string name)
        => Path.GetFileName(name) == name && name is not ("" or "." or "..")
            ? Path.Combine(folder, name)
            : throw new ArgumentException($"Not a file name: {name}", nameof(name));
}
