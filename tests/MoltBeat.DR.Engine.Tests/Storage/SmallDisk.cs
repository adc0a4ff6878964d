using System.Globalization;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Storage;

/// <summary>A disk of few bytes, in memory; skips the test where this user may not mount one.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private SmallDisk(string folder) => Folder = folder;

    public string Folder { get; }

    public static async Task<SmallDisk> MountAsync(long bytes, CancellationToken cancel, bool readOnly = false)
    {
        var folder = Directory.CreateTempSubdirectory("molt-disk-").FullName;
        try
        {
            await Tool.RunAsync("mount", ["-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={bytes},mode=0700{(readOnly ? ",ro" : "")}"), "tmpfs", folder], cancel: cancel);
        }
        catch (Exception e) when (e is TestServerException or TestServerMissingException)
        {
            Directory.Delete(folder);
            Assert.Skip($"A small disk cannot be mounted here: {e.Message}");
        }

        return new SmallDisk(folder);
    }

    public async ValueTask DisposeAsync()
    {
        await Tool.RunAsync("umount", ["--lazy", Folder]);
        Directory.Delete(Folder);
    }
}
