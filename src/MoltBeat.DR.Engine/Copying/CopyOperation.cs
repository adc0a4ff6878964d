using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>What a copy came to.</summary>
public enum CopyStatus
{
    Copied,

    /// <summary>The store had the very same archive before.</summary>
    AlreadyThere,
}

/// <summary>A copy that is there.</summary>
/// <param name="BackupId">The backup.</param>
/// <param name="Name">Its file name.</param>
/// <param name="Source">Path or URI of the copy that was read.</param>
/// <param name="Path">Path or URI of the new one.</param>
/// <param name="Status">Whether anything had to be done.</param>
/// <param name="Way"><c>Streamed</c> through this machine, or <c>ServerSide</c>.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Verified">Every byte was read back from the new place and checked.</param>
/// <param name="Duration">How long it took.</param>
public sealed record CopyResult(string BackupId, string Name, string Source, string Path, CopyStatus Status, string Way, long Size, bool Verified, TimeSpan Duration)
{
    /// <summary>Whose backup it is.</summary>
    public string Database { get; init; } = "";
}

/// <summary>Copies a backup from one store to another; done again, it goes on where it was cut short, or finds nothing to do.</summary>
public static class CopyOperation
{
    private const int Chunk = 1 << 20;

    /// <param name="sources">Its copies, the nearest first: the store and the file name in it.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="readBack">Read every byte back from the destination and check it.</param>
    /// <param name="access">Whose signatures are believed; what others made is not copied.</param>
    /// <param name="observer">Is told of the progress, and of copies that were no good.</param>
    /// <param name="cancellationToken">Stops it; what has arrived is kept for the next attempt.</param>
    /// <exception cref="MoltException"><c>CopyFailed</c> when it arrived damaged; the stores' and the archive's own errors.</exception>
    public static async Task<CopyResult> RunAsync(IReadOnlyList<(IBackupStore Store, string Name)> sources, IBackupStore destination, bool readBack, ArchiveAccess? access, IOperationObserver observer, CancellationToken cancellationToken)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                return await RunAsync(sources[i].Store, sources[i].Name, destination, readBack, access, observer, cancellationToken).ConfigureAwait(false);
            }
            catch (SourceException e)
            {
                if (i + 1 == sources.Count)
                {
                    throw e.Cause;
                }

                observer.Warning($"{e.Cause.Message} Copying from {sources[i + 1].Store.Location} instead.");
            }
        }
    }

    private static async Task<CopyResult> RunAsync(IBackupStore source, string name, IBackupStore destination, bool readBack, ArchiveAccess? access, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var file = await OfSourceAsync(() => source.FindAsync(name, cancellationToken)).ConfigureAwait(false);
        var archive = await OfSourceAsync(async () => await ArchiveReader.OpenAsync(await source.OpenAsync(file, manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken, access).ConfigureAwait(false)).ConfigureAwait(false);
        await using (archive.ConfigureAwait(false))
        {
            CopyResult Done(CopyStatus status, string way, bool verified)
                => new(archive.Manifest.Id, name, archive.Location, destination.Settings.ItemLocation(name), status, way, archive.Length, verified, clock.Elapsed) { Database = archive.Manifest.Database };

            if (await destination.CheckWritableAsync(cancellationToken).ConfigureAwait(false) is { } warning)
            {
                observer.Warning(warning);
            }

            if (await IsThereAsync(archive, name, destination, cancellationToken).ConfigureAwait(false))
            {
                await CopyPinAsync(source, file, archive.Manifest.Id, destination, name, cancellationToken).ConfigureAwait(false);
                return Done(CopyStatus.AlreadyThere, "None", verified: false);
            }

            var lease = await ReadLease.TakeAsync(source, name, archive.Manifest.Id, "copy", observer, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            await using var _ = lease.ConfigureAwait(false);
            var serverSide = source is S3Store from && destination is S3Store to && await to.TryCopyFromAsync(from, file, new NewArchive(archive.Manifest.Created, archive.Length), cancellationToken).ConfigureAwait(false);
            if (!serverSide)
            {
                await StreamAsync(archive, name, destination, observer, cancellationToken).ConfigureAwait(false);
            }

            if (readBack)
            {
                await ReadBackAsync(name, destination, observer, cancellationToken).ConfigureAwait(false);
            }

            await CopyPinAsync(source, file, archive.Manifest.Id, destination, name, cancellationToken).ConfigureAwait(false);
            return Done(CopyStatus.Copied, serverSide ? "ServerSide" : "Streamed", readBack);
        }
    }

    private static async Task<bool> IsThereAsync(ArchiveReader archive, string name, IBackupStore destination, CancellationToken cancellationToken)
    {
        StoredFile found;
        try
        {
            found = await destination.FindAsync(name, cancellationToken).ConfigureAwait(false);
        }
        catch (MoltException e) when (e.Id == "BackupNotFound")
        {
            return false;
        }

        var there = await ArchiveReader.OpenAsync(await destination.OpenAsync(found, manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        await using (there.ConfigureAwait(false))
        {
            return there.Index.ManifestSha256 == archive.Index.ManifestSha256 && there.Length == archive.Length
                ? true
                : throw new MoltException("BackupExists", ErrorKind.AlreadyExists, $"{there.Location} is there already, and is another backup ({there.Manifest.Id}).",
                    "Nothing is overwritten: copy to another prefix or folder.", there.Location);
        }
    }

    /// <summary>What is pinned here is pinned there, by the same record: a pin that was taken back there since stays taken back. What was verified here says nothing of there.</summary>
    internal static async Task CopyPinAsync(IBackupStore source, StoredFile file, string id, IBackupStore destination, string name, CancellationToken cancellationToken)
    {
        if (await BackupCatalog.PinAsync(source, file, id, cancellationToken).ConfigureAwait(false) is var (record, pin))
        {
            await BackupCatalog.RecordAsync(destination, name, record, pin, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task StreamAsync(ArchiveReader archive, string name, IBackupStore destination, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var activity = $"Copying {name}";
        var output = await destination.ResumeAsync(name, new NewArchive(archive.Manifest.Created, archive.Length), cancellationToken).ConfigureAwait(false);
        await using (output.ConfigureAwait(false))
        {
            if (output is LocalOutput { Position: > 0 } kept)
            {
                await KeepWhatIsGoodAsync(archive, kept, observer, cancellationToken).ConfigureAwait(false);
            }

            using var checker = new MemberChecker(archive, output.Position, archive.Location);
            var buffer = new byte[Chunk];
            var input = archive.OpenRaw(output.Position);
            await using (input.ConfigureAwait(false))
            {
                int n;
                while ((n = await OfSourceAsync(() => ReadAsync(input, buffer, checker, cancellationToken)).ConfigureAwait(false)) > 0)
                {
                    await output.AppendAsync(buffer.AsMemory(0, n), cancellationToken).ConfigureAwait(false);
                    observer.Progress(new OperationProgress(activity, string.Create(CultureInfo.InvariantCulture, $"{output.Position / 1e6:N0} of {archive.Length / 1e6:N0} MB"), (double)output.Position / archive.Length, null));
                }
            }

            await output.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Bytes that a source gave, checked before they are passed on: nothing damaged is ever published elsewhere.</summary>
    private static async Task<int> ReadAsync(Stream input, Memory<byte> buffer, MemberChecker checker, CancellationToken cancellationToken)
    {
        var n = await input.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        checker.Feed(buffer.Span[..n]);
        return n;
    }

    /// <summary>An earlier attempt has left a file: its whole members stay, what is behind them goes.</summary>
    private static async Task KeepWhatIsGoodAsync(ArchiveReader archive, LocalOutput kept, IOperationObserver observer, CancellationToken cancellationToken)
    {
        using var checker = new MemberChecker(archive, 0, archive.Location);
        var buffer = new byte[Chunk];
        try
        {
            for (long at = 0; at < kept.Position;)
            {
                var piece = buffer.AsMemory(0, (int)Math.Min(buffer.Length, kept.Position - at));
                await kept.ReadBackAsync(at, piece, cancellationToken).ConfigureAwait(false);
                checker.Feed(piece.Span);
                at += piece.Length;
            }
        }
        catch (MoltException e) when (e.Id == "ArchiveDamaged")
        {
            // Up to there it was right.
        }

        kept.Truncate(checker.GoodUpTo);
        observer.Verbose(string.Create(CultureInfo.InvariantCulture, $"Going on at {checker.GoodUpTo:N0} bytes, where an earlier copy was cut short."));
    }

    private static async Task ReadBackAsync(string name, IBackupStore destination, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var result = await VerificationOperation.RunAsync(destination, name, new VerificationOptions { Level = VerificationLevel.Quick }, observer, cancellationToken).ConfigureAwait(false);
        if (!result.Passed)
        {
            // What a service copies by itself it does not check: it may be the source that is damaged.
            await destination.DeleteAsync(name, CancellationToken.None).ConfigureAwait(false);
            throw new SourceException(new MoltException("CopyFailed", ErrorKind.InvalidData, $"What arrived at {result.Path} is damaged, and was removed again: {string.Join("; ", result.Failed.Select(c => c.Detail))}.",
                "Verify the source with Test-MoltBackup. If it is whole, the store or the way to it damages what it gets.", result.Path));
        }
    }

    private static async Task<T> OfSourceAsync<T>(Func<Task<T>> step)
    {
        try
        {
            return await step().ConfigureAwait(false);
        }
        catch (MoltException e)
        {
            throw new SourceException(e);
        }
    }
}
