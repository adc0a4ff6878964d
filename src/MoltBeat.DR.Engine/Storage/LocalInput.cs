using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>A file read by position; the length is the one it had when it was opened.</summary>
internal sealed partial class LocalInput : IArchiveInput, IDisposable
{
    private readonly SafeFileHandle handle;

    private LocalInput(string path, SafeFileHandle handle)
    {
        this.handle = handle;
        Location = path;
        Length = RandomAccess.GetLength(handle);
    }

    public string Location { get; }

    public long Length { get; }

    /// <exception cref="MoltException"><c>BackupNotFound</c>, <c>NotAnArchive</c>, <c>StoreNotReadable</c>.</exception>
    public static LocalInput Open(string path)
    {
        try
        {
            var handle = OperatingSystem.IsWindows() ? File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous) : OpenUnix(path);
            try
            {
                return Directory.Exists(path) ? throw NoFile(path, null) : new LocalInput(path, handle);
            }
            catch (NotSupportedException e)
            {
                throw NoFile(path, e);
            }
            catch
            {
                handle.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new MoltException("BackupNotFound", ErrorKind.NotFound, $"There is no backup {path}.", "List what is there with Get-MoltBackup.", path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LocalStore.NotReadable(path, e);
        }
    }

    public async ValueTask<int> ReadAtAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await RandomAccess.ReadAsync(handle, buffer, offset, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LocalStore.NotReadable(Location, e);
        }
    }

    public void Dispose() => handle.Dispose();

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private static MoltException NoFile(string path, Exception? e)
        => new("NotAnArchive", ErrorKind.InvalidData, $"{path} is no file.", "Backups are plain files: remove it from the folder, or name another.", path, e);

    /// <summary>
    /// File.OpenHandle would wait, for ever, until somebody writes into a named pipe; and it takes a lock, which would fail
    /// for the moment in which a writer that has just published the file has not closed it yet.
    /// </summary>
    private static SafeFileHandle OpenUnix(string path)
    {
        const int NoSuchFile = 2, NotAFolder = 20, NoDevice = 6;
        var (nonBlocking, closeOnExec) = OperatingSystem.IsLinux() ? (0x800, 0x80000) : (0x4, 0x1000000);
        var descriptor = Open(path, nonBlocking | closeOnExec);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw (Marshal.GetLastPInvokeError() switch
        {
            NoSuchFile or NotAFolder => new FileNotFoundException(null, path),
            NoDevice => NoFile(path, null),
            var error => new IOException(Marshal.GetPInvokeErrorMessage(error)),
        });
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);
}
