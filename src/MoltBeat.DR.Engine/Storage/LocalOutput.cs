using Microsoft.Win32.SafeHandles;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>
/// A file that appears under its name only whole: written as <c>name.partial</c> (0600, locked while it grows), synced,
/// renamed, its folder synced. Power lost at any point leaves the old state or the new, and at worst a partial file.
/// </summary>
internal sealed class LocalOutput : IArchiveOutput
{
    private const long FlushEvery = 16L << 20;
    private readonly string path;
    private readonly FileStream file; // only FileStream can give a file its mode as it is made
    private readonly SafeFileHandle handle;
    private Task flushing = Task.CompletedTask;
    private long flushedTo;
    private bool done;
    private bool keep;

    private LocalOutput(string path, FileStream file)
    {
        this.path = path;
        this.file = file;
        handle = file.SafeFileHandle;
    }

    public long Position { get; private set; }

    private string Partial => path + ArchiveFormat.PartialExtension;

    public static LocalOutput Create(string path) => Open(path, FileMode.CreateNew);

    /// <summary>Begins at what an earlier attempt has left, and leaves what it wrote when it fails.</summary>
    public static LocalOutput Resume(string path)
    {
        var output = Open(path, FileMode.OpenOrCreate);
        output.keep = true;
        output.Position = output.flushedTo = RandomAccess.GetLength(output.handle);
        return output;
    }

    private static LocalOutput Open(string path, FileMode mode)
    {
        var partial = path + ArchiveFormat.PartialExtension;
        try
        {
            var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = FileShare.None };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            return new LocalOutput(path, new FileStream(partial, options));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw File.Exists(partial) && e is IOException && mode == FileMode.CreateNew ? Exists(partial) : LocalStore.NotWritable(path, e);
        }
    }

    public static MoltException Exists(string path)
        => new("BackupExists", ErrorKind.AlreadyExists, $"{path} is there already.", "Nothing is overwritten. Try again a second later.", path);

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            await RandomAccess.WriteAsync(handle, bytes, Position, cancellationToken).ConfigureAwait(false);
            Position += bytes.Length;
            if (Position - flushedTo >= FlushEvery && flushing.IsCompleted)
            {
                // Starts the disk early, so that the sync at the end has little left to wait for.
                await flushing.ConfigureAwait(false);
                flushedTo = Position;
                flushing = Task.Run(() => RandomAccess.FlushToDisk(handle), CancellationToken.None);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(e);
        }
    }

    /// <summary>The partial file can be patched in place.</summary>
    public ValueTask AppendOpenAsync(ReadOnlyMemory<byte> header, CancellationToken cancellationToken) => AppendAsync(header, cancellationToken);

    /// <summary>Forgets what is behind a position.</summary>
    public void Truncate(long length)
    {
        try
        {
            RandomAccess.SetLength(handle, length);
            Position = flushedTo = length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(e);
        }
    }

    /// <summary>Reads back what was written, for those who copy the growing file.</summary>
    public async ValueTask ReadBackAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            for (var n = 0; buffer.Length > 0; buffer = buffer[n..], offset += n)
            {
                n = await RandomAccess.ReadAsync(handle, buffer, offset, cancellationToken).ConfigureAwait(false);
                if (n == 0)
                {
                    throw new IOException("it is shorter than what was written");
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LocalStore.NotReadable(path, e);
        }
    }

    public async ValueTask PatchAsync(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            await RandomAccess.WriteAsync(handle, bytes, offset, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Failed(e);
        }
    }

    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            await flushing.ConfigureAwait(false);
            RandomAccess.FlushToDisk(handle);
            if (File.Exists(path))
            {
                throw Exists(path);
            }

            File.Move(Partial, path);
            done = true;
            FolderSync.Sync(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw !done && File.Exists(path) ? Exists(path) : Failed(e);
        }
    }

    /// <summary>What has arrived of a copy is kept for the next attempt, but not on a disk that it has filled.</summary>
    private MoltException Failed(Exception e)
    {
        var failure = LocalStore.NotWritable(path, e);
        keep &= failure.Id != "StoreFull";
        return failure;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await flushing.ConfigureAwait(false);
        }
        catch (IOException)
        {
            // The file is given up anyhow, or its commit has failed for the same reason.
        }

        try
        {
            if (!done && !keep)
            {
                File.Delete(Partial);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Its folder is gone, or not ours any more; what made us give up is the error to tell.
        }

        await file.DisposeAsync().ConfigureAwait(false);
    }
}
