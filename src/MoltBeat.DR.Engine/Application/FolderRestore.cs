using System.Globalization;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application;

/// <summary>
/// Unpacks folders, each beside its final place, and gives it its name when all of it is there and is what was backed up. A folder that
/// is there is not touched unless told to, and then it is kept under another name: nothing is mixed.
/// </summary>
public sealed class FolderRestore : IExtraRestore
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string root;
    private readonly bool force;

    /// <param name="root">Absolute path of the folder in which they are made, each under its name.</param>
    /// <param name="force">Whether folders that are there may be replaced.</param>
    public FolderRestore(string root, bool force)
    {
        this.root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        this.force = force;
    }

    public ExtraKind Kind => ExtraKind.Folder;

    public Task<IReadOnlyList<ExtraRestoreItem>> PlanAsync(ArchiveReader archive, IReadOnlyList<ExtraContents> extras, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(extras);
        var items = new List<ExtraRestoreItem>();
        foreach (var extra in extras)
        {
            var top = ExtraNames.Safe(extra.Name);
            var target = Path.Combine(root, top);
            var size = string.Create(CultureInfo.InvariantCulture, $"{extra.Items:N0} files and folders, {extra.Parts.Sum(p => p.RawBytes) / 1e6:N1} MB");
            try
            {
                if (top is "" or "." or ".." || items.Exists(i => i.Target == target) || extra.Parts.Count != 1)
                {
                    throw new MoltException("FolderEntryRefused", ErrorKind.InvalidData, $"The backup has a folder that cannot be restored as {target}.", "Nothing of it was restored. Use another backup.", target);
                }

                var there = Look(target);
                items.Add(new FolderItem(extra.Name, target, $"Restore folder {extra.Name}, {size}{(there ? ", and keep the one there beside it" : "")}", extra));
            }
            catch (MoltException e)
            {
                items.Add(new ExtraRestoreItem(Kind, extra.Name, target, $"Restore folder {extra.Name}, {size}") { Problem = e });
            }
        }

        return Task.FromResult<IReadOnlyList<ExtraRestoreItem>>(items);
    }

    public async Task<ExtraRestoreResult> RestoreAsync(ArchiveReader archive, ExtraRestoreItem item, IOperationObserver observer, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(archive);
        ArgumentNullException.ThrowIfNull(item);
        var extra = ((FolderItem)item).Extra;
        var top = ExtraNames.Safe(extra.Name);
        var work = Path.Combine(root, $".{top}.restoring_{Guid.NewGuid():N}");
        FolderUnpacker? unpacker = null;
        try
        {
            _ = Look(item.Target);
            Directory.CreateDirectory(root);
            foreach (var left in Directory.EnumerateDirectories(root, $".{top}.restoring_*"))
            {
                observer.Warning($"{left} is left from a restore that was cut short, if none is running. Remove it.");
            }

            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(work);
            }
            else
            {
                Directory.CreateDirectory(work, Private);
            }

            unpacker = new FolderUnpacker(top, work, observer);
            var tar = archive.OpenExtra(extra.Parts[0]);
            await using (tar.ConfigureAwait(false))
            {
                await unpacker.UnpackAsync(tar, cancellationToken).ConfigureAwait(false);
                await tar.DrainAsync(cancellationToken).ConfigureAwait(false);
            }

            if (unpacker.Items != extra.Items)
            {
                throw ArchiveReader.Damaged(archive.Location, $"{extra} holds {unpacker.Items} files and folders, and the contents say {extra.Items}");
            }

            unpacker.FinishFolders();
            UnixFile.SyncAll(root);
            cancellationToken.ThrowIfCancellationRequested();
            var kept = Publish(work, item.Target);
            FolderSync.Sync(root);
            return new FolderRestoreResult
            {
                Name = item.Name,
                Target = item.Target,
                Files = unpacker.Files,
                Folders = unpacker.Folders,
                Links = unpacker.Links,
                Bytes = unpacker.Bytes,
                Kept = kept,
                Notes = [.. extra.Notes, .. unpacker.Notes],
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            unpacker?.Remove();
            throw new MoltException("FolderNotWritable", ErrorKind.PermissionDenied, $"The folder {item.Target} could not be restored, and what was there is as it was: {e.Message}",
                "Run as a user that may write there, make room, or name another folder with -FolderPath.", item.Target, e);
        }
        catch
        {
            unpacker?.Remove();
            throw;
        }
    }

    /// <returns>Whether there is one already that may be moved aside; an empty folder is none.</returns>
    private bool Look(string target)
    {
        var facts = UnixFile.Look(target);
        if (facts is null || (facts.Kind == FileKind.Folder && !Directory.EnumerateFileSystemEntries(target).Any()))
        {
            return false;
        }

        return force ? true : throw new MoltException("FolderExists", ErrorKind.AlreadyExists, $"{target} is there already, and not empty.",
            "Name another folder with -FolderPath; or pass -Force, which keeps the present one beside it under another name.", target);
    }

    /// <returns>Where the one is kept that was there.</returns>
    private string? Publish(string work, string target)
    {
        string? kept = null;
        if (Look(target))
        {
            kept = target + DateTime.UtcNow.ToString("'.before_'yyyyMMdd'T'HHmmssfff'Z'", CultureInfo.InvariantCulture);
            Directory.Move(target, kept);
        }
        else if (Directory.Exists(target))
        {
            Directory.Delete(target);
        }

        try
        {
            Directory.Move(work, target);
            return kept;
        }
        catch when (kept is not null)
        {
            Directory.Move(kept, target);
            throw;
        }
    }

    private sealed record FolderItem(string Folder, string Target, string Action, ExtraContents Extra) : ExtraRestoreItem(ExtraKind.Folder, Folder, Target, Action);
}
