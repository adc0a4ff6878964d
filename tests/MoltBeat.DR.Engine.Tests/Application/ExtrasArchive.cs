using System.Text;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Tests.Failures;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application;

/// <summary>An archive that holds captures and nothing else; in memory, with encryption of a kind.</summary>
internal sealed class ExtrasArchive : IAsyncDisposable
{
    private ExtrasArchive(byte[] bytes, ArchiveReader reader, IReadOnlyList<ExtraContents> extras)
    {
        Bytes = bytes;
        Reader = reader;
        Extras = extras;
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public byte[] Bytes { get; }

    public ArchiveReader Reader { get; }

    public IReadOnlyList<ExtraContents> Extras { get; }

    /// <summary>Takes captures as a backup does.</summary>
    public static async Task<ExtrasArchive> MakeAsync(IEnumerable<ICapture> captures, bool encrypts = false, IReadOnlyList<string>? stores = null, Action? between = null, Listener? listener = null)
    {
        var archive = new MemoryArchive();
        var extras = new List<ExtraContents>();
        var seal = encrypts ? new XorSeal() : null;
        await using (var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch, seal))
        {
            var all = captures.ToList();
            foreach (var capture in all)
            {
                await capture.PrepareAsync(new CaptureContext(encrypts, stores ?? []), Cancel);
            }

            between?.Invoke();
            foreach (var capture in all)
            {
                extras.Add(await capture.CaptureAsync(writer, listener ?? new Listener(), Cancel));
            }

            await writer.CompleteAsync(m => Manifests.Of(m) with { Recipients = seal?.Recipients ?? [] }, Cancel);
        }

        return await OpenAsync(archive.Bytes, extras);
    }

    /// <summary>An archive with a tar that no backup of ours would write.</summary>
    public static async Task<ExtrasArchive> OfTarAsync(string name, byte[] tar, long items)
    {
        var archive = new MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        await using var extra = await ExtraWriter.OpenAsync(writer, ExtraNames.Member(ExtraKind.Folder, name, ".tar.zst"), Cancel);
        await extra.WriteAsync(tar, Cancel);
        var part = await extra.CompleteAsync(items, Cancel);
        await extra.DisposeAsync();
        await writer.CompleteAsync(m => Manifests.Of(m), Cancel);
        return await OpenAsync(archive.Bytes, [new ExtraContents { Kind = ExtraKind.Folder, Name = name, Items = items, Parts = [part] }]);
    }

    /// <summary>Plans, and restores what has no problem.</summary>
    public async Task<(IReadOnlyList<ExtraRestoreItem> Plan, IReadOnlyList<ExtraRestoreResult> Results)> RestoreAsync(IExtraRestore restore)
    {
        var plan = await restore.PlanAsync(Reader, Extras, Cancel);
        var results = new List<ExtraRestoreResult>();
        foreach (var item in plan.Where(i => i.Problem is null))
        {
            results.Add(await restore.RestoreAsync(Reader, item, new Listener(), Cancel));
        }

        return (plan, results);
    }

    public ValueTask DisposeAsync() => Reader.DisposeAsync();

    private static async Task<ExtrasArchive> OpenAsync(byte[] bytes, IReadOnlyList<ExtraContents> extras)
        => new(bytes, await ArchiveReader.OpenAsync(new MemoryArchive(bytes), Cancel, new ArchiveAccess(new XorSeal())), extras);
}

/// <summary>Makes bytes unreadable enough to see whether somebody has written them as they are.</summary>
internal sealed class XorSeal : IMemberSeal, IMemberOpener
{
    public IReadOnlyList<RecipientInfo> Recipients { get; } = [new("TEST", "TEST")];

    public IMemberCipher Begin() => new Cipher();

    public async Task<Stream> OpenAsync(Stream message, string member, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        await message.CopyToAsync(bytes, cancellationToken);
        return new MemoryStream([.. bytes.ToArray().Select(b => (byte)(b ^ 0x5a))]);
    }

    private sealed class Cipher : IMemberCipher
    {
        public void Write(ReadOnlySpan<byte> plain, Stream message)
        {
            foreach (var b in plain)
            {
                message.WriteByte((byte)(b ^ 0x5a));
            }
        }

        public void Complete(Stream message)
        {
        }

        public void Dispose()
        {
        }
    }
}

/// <summary>A folder of files for tests of what reads and writes them.</summary>
internal sealed class Scratch : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("molt-files-").FullName;

    public string this[string path] => Path.Combine(Root, path);

    public string Write(string path, string text, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var full = this[path];
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllBytes(full, Encoding.UTF8.GetBytes(text));
        Mode(full, mode);
        return full;
    }

    public static void Mode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }

    public static UnixFileMode Mode(string path) => OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(path);

    public void Dispose()
    {
        if (!OperatingSystem.IsWindows())
        {
            // Some names in it are none that .NET could remove, and some folders may not be written to.
            foreach (var step in new[] { $"chmod -R u+rwX '{Root}'", $"rm -rf '{Root}'" })
            {
                using var sh = System.Diagnostics.Process.Start("sh", ["-c", step]);
                sh.WaitForExit();
            }

            return;
        }

        Directory.Delete(Root, recursive: true);
    }
}
