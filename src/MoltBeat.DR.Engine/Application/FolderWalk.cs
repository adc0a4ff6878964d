using System.IO.Enumeration;

namespace MoltBeat.DR.Engine.Application;

/// <summary>Something that a walk came by.</summary>
/// <param name="Relative">From the folder on, with <c>/</c>; empty for the folder itself.</param>
/// <param name="Path">Absolute.</param>
/// <param name="Facts">Of itself; a symbolic link is not looked through.</param>
internal sealed record WalkEntry(string Relative, string Path, FileFacts Facts);

/// <summary>
/// Goes through a folder, each folder before what is in it, in an order that is always the same. Follows no symbolic link, and does not
/// enter folders that backups go to.
/// </summary>
/// <param name="root">Absolute path; itself it may be a link.</param>
/// <param name="filter">What is left out.</param>
/// <param name="avoid">Folders that it does not enter.</param>
internal sealed class FolderWalk(string root, FolderFilter filter, IReadOnlyList<string> avoid)
{
    private const int MostNames = 20;

    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = false, ReturnSpecialDirectories = false };

    private readonly List<string> leftOutNames = [];

    /// <summary>How many were left out by the filter; folders count as one.</summary>
    public long LeftOut { get; private set; }

    /// <summary>The first of them, from the folder on.</summary>
    public IReadOnlyList<string> LeftOutNames => leftOutNames;

    /// <summary>Folders that backups go to, as they were come by.</summary>
    public List<string> Avoided { get; } = [];

    /// <summary>Sockets, devices and pipes.</summary>
    public List<string> Special { get; } = [];

    /// <summary>What was listed, and was gone when it was looked at.</summary>
    public long Vanished { get; private set; }

    /// <exception cref="MoltException"><c>FolderNotFound</c>, <c>FolderNotReadable</c>.</exception>
    public IEnumerable<WalkEntry> Entries(CancellationToken cancellationToken)
    {
        var facts = Look(root, follow: true);
        if (facts is not { Kind: FileKind.Folder })
        {
            throw new MoltException("FolderNotFound", ErrorKind.NotFound, facts is null ? $"There is no folder {root}." : $"{root} is no folder.",
                "Correct -Folder or the plan's folders. A backup without it is not made.", root);
        }

        var avoided = avoid.Select(a => Look(a, follow: true)?.Identity).OfType<(ulong, ulong)>().Where(i => i != default).ToHashSet();
        var todo = new Stack<WalkEntry>();
        todo.Push(new WalkEntry("", root, facts));
        while (todo.TryPop(out var entry))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (entry.Facts.Kind == FileKind.Folder && entry.Relative.Length > 0 && (avoided.Contains(entry.Facts.Identity) || avoid.Contains(entry.Path)))
            {
                Avoided.Add(entry.Relative);
                continue;
            }

            if (entry.Facts.Kind == FileKind.Special)
            {
                Special.Add(entry.Relative);
                continue;
            }

            var inside = entry.Facts.Kind == FileKind.Folder ? Inside(entry) : [];
            yield return entry;
            foreach (var child in Enumerable.Reverse(inside))
            {
                todo.Push(child);
            }
        }
    }

    private List<WalkEntry> Inside(WalkEntry folder)
    {
        var found = new List<WalkEntry>();
        try
        {
            foreach (var name in new FileSystemEnumerable<string>(folder.Path, (ref FileSystemEntry e) => e.FileName.ToString(), All).Order(StringComparer.Ordinal))
            {
                var relative = folder.Relative.Length == 0 ? name : folder.Relative + "/" + name;
                var path = Path.Combine(folder.Path, name);
                if (Look(path, follow: false) is { } facts)
                {
                    if (filter.LeavesOut(relative, facts.Kind == FileKind.Folder))
                    {
                        if (LeftOut++ < MostNames)
                        {
                            leftOutNames.Add(relative);
                        }
                    }
                    else
                    {
                        found.Add(new WalkEntry(relative, path, facts));
                    }
                }
                else if (!name.Contains('\uFFFD', StringComparison.Ordinal))
                {
                    Vanished++;
                }
                else if (!filter.LeavesOut(relative, folder: false))
                {
                    throw NotReadable(path, "its name is no UTF-8 text");
                }
            }
        }
        catch (DirectoryNotFoundException)
        {
            Vanished++;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(folder.Path, e.Message, e);
        }

        // Had somebody put a link in its place meanwhile, these would be another folder's.
        if (folder.Relative.Length > 0 && Look(folder.Path, follow: false) is var now && (now is null || now.Identity != folder.Facts.Identity || now.Kind != FileKind.Folder))
        {
            Vanished++;
            return [];
        }

        return found;
    }

    private static FileFacts? Look(string path, bool follow)
    {
        try
        {
            return UnixFile.Look(path, follow);
        }
        catch (IOException e)
        {
            throw NotReadable(path, e.Message, e);
        }
    }

    public static MoltException NotReadable(string path, string why, Exception? e = null)
        => new("FolderNotReadable", ErrorKind.PermissionDenied, $"{path} cannot be read: {why}.".Replace("..", ".", StringComparison.Ordinal),
            "Run as a user that may read all of the folder, or leave this out of the backup with a glob (exclude in the plan, -ExcludeFile). Nothing is left out in silence.", path, e);
}
