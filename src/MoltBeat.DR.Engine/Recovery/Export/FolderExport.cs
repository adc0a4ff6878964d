using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Recovery.Export;

/// <summary>Writes a backup's members into a folder, decrypted, each as it streams by, with a restore.sh that reads them there.</summary>
public static class FolderExport
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <param name="store">Where the backup is.</param>
    /// <param name="name">Its file name.</param>
    /// <param name="access">Opens encrypted members, and says whose signature is believed.</param>
    /// <param name="destination">The folder to make; must not be there.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="cancellationToken">Stops it; nothing of it is left then.</param>
    /// <exception cref="MoltException"><c>ExportExists</c>, <c>ExportNotWritable</c>, and those of reading a backup.</exception>
    public static async Task<ExportResult> RunAsync(IBackupStore store, string name, ArchiveAccess? access, string destination, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        ExportFile.CheckPlace(destination, force: false);
        var archive = await ArchiveReader.OpenAsync(await store.OpenAsync(await store.FindAsync(name, cancellationToken).ConfigureAwait(false), manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken, access).ConfigureAwait(false);
        await using (archive.ConfigureAwait(false))
        {
            var partial = $"{destination}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}{ArchiveFormat.PartialExtension}";
            try
            {
                MakeFolder(partial);
                var bytes = await WriteAsync(archive, partial, observer, cancellationToken).ConfigureAwait(false);
                Sync(partial);
                cancellationToken.ThrowIfCancellationRequested();
                Directory.Move(partial, destination);
                FolderSync.Sync(Path.GetDirectoryName(destination)!);
                return new ExportResult(destination, ExportForm.Folder, archive.Manifest.Id, archive.Manifest.Database, archive.Manifest.Created, bytes, archive.Encrypted, clock.Elapsed);
            }
            catch (Exception e)
            {
                Remove(partial, observer);
                if (e is IOException or UnauthorizedAccessException)
                {
                    throw ExportFile.NotWritable(destination, e);
                }

                throw;
            }
        }
    }

    private static async Task<long> WriteAsync(ArchiveReader archive, string folder, IOperationObserver observer, CancellationToken cancellationToken)
    {
        long written = 0, read = 0;
        foreach (var member in archive.Manifest.Members)
        {
            var plain = ArchiveFormat.PlainName(member.Name);
            if (plain is ArchiveFormat.RestoreScript or ArchiveFormat.Readme or ArchiveFormat.RestoreDetails or ArchiveFormat.Canary)
            {
                continue; // they tell how to read the archive, and this is none any more
            }

            var path = Path.Combine(folder, plain.Replace('/', Path.DirectorySeparatorChar));
            MakeFolder(Path.GetDirectoryName(path)!);
            var content = archive.OpenPlain(member);
            await using (content.ConfigureAwait(false))
            {
                written += await WriteAsync(path, stream => content.CopyToAsync(stream, 1 << 18, cancellationToken)).ConfigureAwait(false);
            }

            read += member.Length;
            observer.Progress(new OperationProgress($"Exporting {Path.GetFileName(archive.Location)}", string.Create(CultureInfo.InvariantCulture, $"{read / 1e6:N0} of {archive.Length / 1e6:N0} MB"), Math.Min(1.0, (double)read / archive.Length), null));
        }

        var script = await ScriptAsync(archive, cancellationToken).ConfigureAwait(false);
        return written + await WriteAsync(Path.Combine(folder, ArchiveFormat.RestoreScript), stream => stream.WriteAsync(script, cancellationToken).AsTask()).ConfigureAwait(false);
    }

    private static async Task<byte[]> ScriptAsync(ArchiveReader archive, CancellationToken cancellationToken)
    {
        var script = await ReadAsync(archive.OpenPlain(archive.Member(archive.Encrypted ? ArchiveFormat.RestoreDetails : ArchiveFormat.RestoreScript)), cancellationToken).ConfigureAwait(false);
        return StockTools.ForFolder(archive.Encrypted ? StockTools.RestoreScript(script, encrypted: false) : script)
            ?? throw new MoltException("ExportNotSupported", ErrorKind.NotSupported, $"The restore.sh in {archive.Location} is of another version of this module, and cannot be made to read a folder.", "Use the restore.sh in the archive itself.", archive.Location);
    }

    private static async Task<byte[]> ReadAsync(Stream content, CancellationToken cancellationToken)
    {
        await using (content.ConfigureAwait(false))
        {
            using var bytes = new MemoryStream();
            await content.CopyToAsync(bytes, cancellationToken).ConfigureAwait(false);
            return bytes.ToArray();
        }
    }

    private static async Task<long> WriteAsync(string path, Func<Stream, Task> write)
    {
        var stream = ExportFile.Create(path);
        await using (stream.ConfigureAwait(false))
        {
            await write(stream).ConfigureAwait(false);
            await stream.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            stream.Flush(flushToDisk: true);
            return stream.Length;
        }
    }

    private static void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else if (!Directory.Exists(path))
        {
            // The mode is given to the last folder of a path alone.
            MakeFolder(Path.GetDirectoryName(path)!);
            Directory.CreateDirectory(path, Private);
        }
    }

    private static void Sync(string folder)
    {
        foreach (var path in Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories).Append(folder))
        {
            FolderSync.Sync(path);
        }
    }

    private static void Remove(string partial, IOperationObserver observer)
    {
        try
        {
            if (Directory.Exists(partial))
            {
                Directory.Delete(partial, recursive: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            observer.Warning($"{partial} could not be removed ({e.Message}); it holds decrypted data. Remove it by hand.");
        }
    }
}
