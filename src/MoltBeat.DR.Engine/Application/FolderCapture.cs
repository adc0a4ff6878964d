using System.Formats.Tar;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Application;

/// <summary>
/// Takes along a folder as a tar in pax form, streamed: modes, owners, times, links as links, empty folders. Stock tar unpacks it into a
/// folder of the capture's name. A file that cannot be read fails it: what is left out is left out by a glob.
/// </summary>
public sealed class FolderCapture : ICapture
{
    /// <summary>Files up to this many bytes are read before they are written, and again when somebody wrote to them meanwhile.</summary>
    private const int Small = 1 << 20;

    private const int Attempts = 3;
    private const int NamesInNotes = 20;

    private readonly PlannedFolder folder;
    private readonly FolderFilter filter;
    private readonly string top;
    private readonly List<string> changed = [];
    private readonly Dictionary<int, string> users = [];
    private readonly Dictionary<int, string> groups = [];
    private CaptureContext context = new(false, []);
    private long bytes;
    private long vanished;

    /// <param name="folder">Where, and what not.</param>
    public FolderCapture(PlannedFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        this.folder = folder with { Path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder.Path)) };
        filter = new FolderFilter(folder.Exclude);
        top = ExtraNames.Safe(folder.Name);
    }

    public ExtraKind Kind => ExtraKind.Folder;

    public string Name => folder.Name;

    public long ExpectedBytes { get; private set; }

    /// <summary>Captures for the folders that are named.</summary>
    public static IReadOnlyList<FolderCapture> Of(IEnumerable<PlannedFolder> folders) => [.. folders.Select(f => new FolderCapture(f))];

    /// <summary>Captures for folders that are named by their paths alone: each is called as the folder is, with those above it before when two are called the same.</summary>
    /// <param name="paths">Absolute; null for none, not even an empty list.</param>
    /// <param name="exclude">Globs for all of them.</param>
    public static IReadOnlyList<FolderCapture>? Of(IEnumerable<string>? paths, IReadOnlyList<string> exclude)
    {
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        return paths is null ? null : [.. paths.Select(p => Path.TrimEndingDirectorySeparator(Path.GetFullPath(p))).Distinct(StringComparer.Ordinal).Select(path =>
        {
            var parts = path.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
            var name = parts.Length == 0 ? "root" : parts[^1];
            for (var above = parts.Length - 2; !names.Add(ExtraNames.Safe(name)); above--)
            {
                name = above >= 0 ? $"{parts[above]}_{name}" : name + "_";
            }

            return new FolderCapture(new PlannedFolder(name, path) { Exclude = exclude });
        })];
    }

    /// <summary>Looks whether there is such a folder and it can be listed; not at what is in it.</summary>
    /// <exception cref="MoltException"><c>FolderNotFound</c>, <c>FolderNotReadable</c>.</exception>
    public static void Check(PlannedFolder folder) => _ = new FolderWalk(folder.Path, new FolderFilter(folder.Exclude), []).Entries(CancellationToken.None).First();

    /// <exception cref="MoltException"><c>FolderNotFound</c>, <c>FolderNotReadable</c>, <c>FolderTooLarge</c>, <c>FolderIsStore</c>.</exception>
    public async Task PrepareAsync(CaptureContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        this.context = context;
        foreach (var store in context.BackupFolders.Select(f => Path.TrimEndingDirectorySeparator(Path.GetFullPath(f))))
        {
            if (folder.Path == store || folder.Path.StartsWith(store + Path.DirectorySeparatorChar, StringComparison.Ordinal)
                || (UnixFile.Look(folder.Path, follow: true) is { Identity: var one } && one != default && one == UnixFile.Look(store, follow: true)?.Identity))
            {
                throw new MoltException("FolderIsStore", ErrorKind.InvalidArgument, $"{folder.Path} lies in {store}, where the backup itself is to go.", "Keep backups in a folder of their own.", folder.Path);
            }
        }

        // On the pool: a million files take their time to be looked at.
        await Task.Run(() =>
        {
            long all = 0;
            foreach (var entry in Walk().Entries(cancellationToken))
            {
                if (entry.Facts.Kind == FileKind.Regular)
                {
                    all += entry.Facts.Length;
                    if (!UnixFile.MayRead(entry.Path) && UnixFile.Look(entry.Path) is not null)
                    {
                        throw FolderWalk.NotReadable(entry.Path, "permission denied");
                    }
                }
            }

            CheckSize(all);
            ExpectedBytes = all;
        }, cancellationToken).ConfigureAwait(false);
    }

    public async Task<ExtraContents> CaptureAsync(ArchiveWriter archive, IOperationObserver observer, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(archive);
        ArgumentNullException.ThrowIfNull(observer);
        var walk = Walk();
        long items = 0;
        var names = new Dictionary<(ulong, ulong), string>();
        var writer = await ExtraWriter.OpenAsync(archive, ExtraNames.Member(Kind, Name, ".tar.zst"), cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            var tar = new TarWriter(writer, TarEntryFormat.Pax, leaveOpen: true);
            await using (tar.ConfigureAwait(false))
            {
                foreach (var entry in walk.Entries(cancellationToken))
                {
                    if (await WriteAsync(tar, entry, names, observer, cancellationToken).ConfigureAwait(false))
                    {
                        items++;
                    }
                    else
                    {
                        vanished++;
                    }
                }
            }

            // Not a note: logs are left out every night. But a folder of data may be called build, too, and its owner must be able to see it.
            if (walk.LeftOut > 0)
            {
                observer.Verbose(string.Create(CultureInfo.InvariantCulture, $"{folder.Path}: {walk.LeftOut:N0} left out by globs, with all that is in them: {string.Join(", ", walk.LeftOutNames)}{(walk.LeftOut > walk.LeftOutNames.Count ? ", …" : "")}"));
            }

            var part = await writer.CompleteAsync(items, cancellationToken).ConfigureAwait(false);
            return new ExtraContents { Kind = Kind, Name = Name, Items = items, Parts = [part], Notes = Notes(walk) };
        }
    }

    private FolderWalk Walk() => new(folder.Path, filter, [.. context.BackupFolders.Select(f => Path.TrimEndingDirectorySeparator(Path.GetFullPath(f)))]);

    /// <returns>False when it was gone.</returns>
    private async Task<bool> WriteAsync(TarWriter tar, WalkEntry entry, Dictionary<(ulong, ulong), string> names, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var name = entry.Relative.Length == 0 ? top : $"{top}/{entry.Relative}";
        switch (entry.Facts.Kind)
        {
            case FileKind.Folder:
                await tar.WriteEntryAsync(Describe(TarEntryType.Directory, name + "/", null, entry.Facts), cancellationToken).ConfigureAwait(false);
                return true;
            case FileKind.Link:
                if (new FileInfo(entry.Path).LinkTarget is not { Length: > 0 } target)
                {
                    return false;
                }

                if (target.Contains('\uFFFD', StringComparison.Ordinal))
                {
                    throw FolderWalk.NotReadable(entry.Path, "what the link names is no UTF-8 text");
                }

                await tar.WriteEntryAsync(Describe(TarEntryType.SymbolicLink, name, target, entry.Facts), cancellationToken).ConfigureAwait(false);
                return true;
            case FileKind.Regular when entry.Facts.Links > 1 && names.TryGetValue(entry.Facts.Identity, out var first):
                await tar.WriteEntryAsync(Describe(TarEntryType.HardLink, name, first, entry.Facts), cancellationToken).ConfigureAwait(false);
                return true;
            default:
                if (!await WriteFileAsync(tar, entry, name, observer, cancellationToken).ConfigureAwait(false))
                {
                    return false;
                }

                if (entry.Facts.Links > 1)
                {
                    names[entry.Facts.Identity] = name;
                }

                return true;
        }
    }

    private async Task<bool> WriteFileAsync(TarWriter tar, WalkEntry entry, string name, IOperationObserver observer, CancellationToken cancellationToken)
    {
        void Read(int n)
        {
            bytes += n;
            observer.Progress(new OperationProgress($"Backing up {Kind} {Name}", string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N0} MB"), null, null));
        }

        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var file = new FileStream(UnixFile.OpenToRead(entry.Path), FileAccess.Read, bufferSize: 0);
                await using (file.ConfigureAwait(false))
                {
                    var facts = UnixFile.Look(file.SafeFileHandle);
                    if (facts.Kind != FileKind.Regular || facts.Identity != entry.Facts.Identity)
                    {
                        return false; // another thing has its name by now
                    }

                    CheckSize(bytes + facts.Length);
                    var data = new ExactStream(file, facts.Length, Read);
                    var content = facts.Length <= Small ? new MemoryStream() : null;
                    if (content is not null)
                    {
                        await data.CopyToAsync(content, cancellationToken).ConfigureAwait(false);
                        if ((data.Missing > 0 || !facts.Unchanged(UnixFile.Look(file.SafeFileHandle))) && attempt < Attempts)
                        {
                            bytes -= facts.Length;
                            continue;
                        }

                        content.Position = 0;
                    }

                    var described = Describe(TarEntryType.RegularFile, name, null, facts);
                    described.DataStream = (Stream?)content ?? data;
                    await tar.WriteEntryAsync(described, cancellationToken).ConfigureAwait(false);
                    if (data.Missing > 0 || !facts.Unchanged(UnixFile.Look(file.SafeFileHandle)))
                    {
                        changed.Add(data.Missing == 0 ? entry.Relative : string.Create(CultureInfo.InvariantCulture, $"{entry.Relative} ({data.Missing:N0} bytes of it were gone and are zeros here)"));
                    }

                    return true;
                }
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                return false;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw FolderWalk.NotReadable(entry.Path, e.Message, e);
            }
        }
    }

    private PosixTarEntry Describe(TarEntryType type, string name, string? link, FileFacts facts)
    {
        // .NET's reader takes a line feed in a name for the end of a pax record; GNU's form has no such lines, but whole seconds only.
        PosixTarEntry entry = name.Contains('\n', StringComparison.Ordinal) || link?.Contains('\n', StringComparison.Ordinal) == true ? new GnuTarEntry(type, name) : new PaxTarEntry(type, name);
        if (link is not null)
        {
            entry.LinkName = link;
        }

        entry.ModificationTime = facts.Modified;
        if (facts.Mode is { } mode)
        {
            entry.Mode = mode;
        }

        entry.Uid = facts.Owner ?? 0;
        entry.Gid = facts.Group ?? 0;
        entry.UserName = Cached(users, facts.Owner, UnixFile.UserName);
        entry.GroupName = Cached(groups, facts.Group, UnixFile.GroupName);
        return entry;
    }

    /// <summary>Names may come from a directory service, and files are many.</summary>
    private static string Cached(Dictionary<int, string> names, int? id, Func<int?, string?> find)
    {
        if (id is not { } number)
        {
            return "";
        }

        return names.TryGetValue(number, out var name) ? name : names[number] = find(number) ?? "";
    }

    private void CheckSize(long found)
    {
        if (found > folder.MaximumBytes)
        {
            throw new MoltException("FolderTooLarge", ErrorKind.InvalidData, string.Create(CultureInfo.InvariantCulture, $"{folder.Path} has more than the {folder.MaximumBytes:N0} bytes that the plan allows."),
                "Leave out with globs what need not be backed up, or raise maximumBytes.", folder.Path);
        }
    }

    private List<string> Notes(FolderWalk walk)
    {
        var notes = new List<string>();
        void Add(string what, IReadOnlyList<string> names)
        {
            if (names.Count > 0)
            {
                notes.Add($"{what}: {string.Join(", ", names.Take(NamesInNotes))}{(names.Count > NamesInNotes ? string.Create(CultureInfo.InvariantCulture, $" and {names.Count - NamesInNotes:N0} more") : "")}");
            }
        }

        Add("written to while they were read, and perhaps no one state of theirs", changed);
        Add("sockets, devices and pipes, which are not backed up", walk.Special);
        Add("left out, as backups go there", walk.Avoided);
        if (vanished + walk.Vanished is > 0 and var gone)
        {
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"{gone:N0} were removed before they could be read"));
        }

        return notes;
    }
}
