using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// A private temporary file for a child program to open. On Linux it has no name in any folder, and the child opens it
/// through /proc: so nothing of it is left whatever happens to us.
/// </summary>
public sealed partial class ScratchFile : IAsyncDisposable
{
    private const uint CloseOnExec = 1;

    private readonly string? named;

    private ScratchFile(FileStream stream, string? named)
    {
        Stream = stream;
        this.named = named;
        Path = named ?? string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{stream.SafeFileHandle.DangerousGetHandle()}");
    }

    /// <summary>Whether this system has files that lie in memory only.</summary>
    public static bool HasMemory => OperatingSystem.IsLinux();

    public FileStream Stream { get; }

    /// <summary>What a child program is told as the file's name.</summary>
    public string Path { get; }

    /// <summary>Makes a file in the temporary folder.</summary>
    /// <exception cref="IOException">The temporary folder does not take it.</exception>
    public static ScratchFile Create()
    {
        var path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"molt-{Guid.NewGuid():N}");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var stream = new FileStream(path, options);
        if (!OperatingSystem.IsLinux())
        {
            return new ScratchFile(stream, path);
        }

        File.Delete(path);
        return new ScratchFile(stream, null);
    }

    /// <summary>Makes a file that no disk sees; on systems that <see cref="HasMemory">have none</see>, one in the temporary folder, which must not take what was decrypted.</summary>
    /// <exception cref="IOException">There is no memory for it.</exception>
    public static ScratchFile CreateInMemory()
    {
        if (!HasMemory)
        {
            return Create();
        }

        var handle = MemoryFile("molt", CloseOnExec);
        return handle >= 0
            ? new ScratchFile(new FileStream(new SafeFileHandle(handle, ownsHandle: true), FileAccess.ReadWrite, bufferSize: 0), null)
            : throw new IOException(new Win32Exception(Marshal.GetLastPInvokeError()).Message);
    }

    public async ValueTask DisposeAsync()
    {
        await Stream.DisposeAsync().ConfigureAwait(false);
        if (named is not null)
        {
            File.Delete(named);
        }
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint MemoryFile(string name, uint flags);
}
