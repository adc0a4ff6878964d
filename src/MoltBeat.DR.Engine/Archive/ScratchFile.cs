using System.Globalization;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// A private temporary file for a child program to open. On Linux it loses its name as soon as it is made, and the child
/// opens it through /proc: so nothing of it is left whatever happens to us.
/// </summary>
public sealed class ScratchFile : IAsyncDisposable
{
    private readonly string? named;

    private ScratchFile(FileStream stream, string path, string? named)
    {
        Stream = stream;
        Path = path;
        this.named = named;
    }

    public FileStream Stream { get; }

    /// <summary>What a child program is told as the file's name.</summary>
    public string Path { get; }

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
            return new ScratchFile(stream, path, path);
        }

        File.Delete(path);
        return new ScratchFile(stream, string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{stream.SafeFileHandle.DangerousGetHandle()}"), null);
    }

    public async ValueTask DisposeAsync()
    {
        await Stream.DisposeAsync().ConfigureAwait(false);
        if (named is not null)
        {
            File.Delete(named);
        }
    }
}
