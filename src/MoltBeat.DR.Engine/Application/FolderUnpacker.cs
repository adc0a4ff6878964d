using System.Formats.Tar;
using System.Globalization;

namespace MoltBeat.DR.Engine.Application;

/// <summary>
/// Unpacks a folder's tar into a new folder that nobody else can enter. Believes no name in it: what lies in a folder must come after that
/// folder, so that there is no way through a link or out of the folder, and nothing may come twice.
/// </summary>
/// <param name="top">The first part of every name in the tar.</param>
/// <param name="target">A folder that was just made, empty and private; null to look only whether all could be unpacked.</param>
/// <param name="observer">Is told of the progress.</param>
internal sealed class FolderUnpacker(string top, string? target, IOperationObserver observer)
{
    private const UnixFileMode SetIds = UnixFileMode.SetUser | UnixFileMode.SetGroup;
    private const int NamesInNotes = 20;

    private readonly Dictionary<string, FileKind> made = new(StringComparer.Ordinal);
    private readonly List<(string Path, TarEntry Entry)> folders = [];
    private readonly HashSet<string> ownerNotes = new(StringComparer.Ordinal);
    private readonly List<string> withoutSetIds = [];
    private readonly byte[] buffer = new byte[1 << 17];

    public long Files { get; private set; }

    public long Folders => folders.Count;

    public long Links { get; private set; }

    public long Bytes { get; private set; }

    public long Items => made.Count;

    public IEnumerable<string> Notes => ownerNotes.Concat(withoutSetIds.Count == 0 ? []
        : [$"the setuid and setgid bits of files were not restored: {string.Join(", ", withoutSetIds.Take(NamesInNotes))}{(withoutSetIds.Count > NamesInNotes ? string.Create(CultureInfo.InvariantCulture, $" and {withoutSetIds.Count - NamesInNotes:N0} more") : "")}"]);

    /// <summary>Unpacks all of it. Folders get their modes and times with <see cref="FinishFolders"/>.</summary>
    /// <exception cref="MoltException"><c>FolderEntryRefused</c>.</exception>
    /// <exception cref="IOException">The disk does not take it.</exception>
    public async Task UnpackAsync(Stream tar, CancellationToken cancellationToken)
    {
        var reader = new TarReader(tar, leaveOpen: true);
        await using (reader.ConfigureAwait(false))
        {
            while (await NextAsync(reader, cancellationToken).ConfigureAwait(false) is { } entry)
            {
                await MakeAsync(entry, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Modes, owners and times of folders, the deepest first: a folder that may not be written to takes nothing more.</summary>
    public void FinishFolders()
    {
        foreach (var (path, entry) in Enumerable.Reverse(folders))
        {
            Own(path, entry);
            if (!OperatingSystem.IsWindows())
            {
                // Setgid on a folder hands its group on, and is no danger.
                File.SetUnixFileMode(path, entry.Mode & ~UnixFileMode.SetUser);
            }

            Directory.SetLastWriteTimeUtc(path, Time(entry));
        }
    }

    /// <summary>Removes what was unpacked, whatever modes it has by now.</summary>
    public void Remove()
    {
        try
        {
            foreach (var (path, _) in folders)
            {
                if (!OperatingSystem.IsWindows() && Directory.Exists(path))
                {
                    File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                }
            }

            Directory.Delete(target!, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            observer.Warning($"{target} could not be removed: {e.Message}");
        }
    }

    private async Task<TarEntry?> NextAsync(TarReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException)
        {
            throw new MoltException("FolderEntryRefused", ErrorKind.InvalidData, $"The tar of the folder {top} in the backup is none, behind {made.Count} entries.", "Nothing of it was restored. Use another backup.", top, e);
        }
    }

    private async Task MakeAsync(TarEntry entry, CancellationToken cancellationToken)
    {
        var relative = Relative(entry.Name, entry.EntryType == TarEntryType.Directory);
        if (relative.Length > 0)
        {
            var parent = relative.LastIndexOf('/') is >= 0 and var slash ? relative[..slash] : "";
            if (!made.TryGetValue(parent, out var kind) || kind != FileKind.Folder)
            {
                throw Refused(entry.Name, kind == FileKind.Link ? "it would be written through a symbolic link" : "the folder that it is in does not come before it");
            }
        }

        var path = target is null || relative.Length == 0 ? target : Path.Combine(target, relative.Replace('/', Path.DirectorySeparatorChar));
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                Add(entry, relative, FileKind.Folder);
                if (path is not null && relative.Length > 0)
                {
                    Directory.CreateDirectory(path);
                }

                folders.Add((path ?? "", entry));
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile when relative.Length > 0:
                Add(entry, relative, FileKind.Regular);
                await WriteFileAsync(path, relative, entry, cancellationToken).ConfigureAwait(false);
                Files++;
                break;
            case TarEntryType.SymbolicLink when relative.Length > 0:
                Add(entry, relative, FileKind.Link);
                if (path is not null)
                {
                    File.CreateSymbolicLink(path, entry.LinkName);
                    Own(path, entry);
                    File.SetLastWriteTimeUtc(path, Time(entry));
                }

                Links++;
                break;
            case TarEntryType.HardLink when relative.Length > 0:
                var other = Relative(entry.LinkName, folder: false);
                if (!made.TryGetValue(other, out var kind) || kind != FileKind.Regular)
                {
                    throw Refused(entry.Name, "it is another name for something that is no file of this folder");
                }

                Add(entry, relative, FileKind.Regular);
                if (path is not null)
                {
                    UnixFile.Link(Path.Combine(target!, other.Replace('/', Path.DirectorySeparatorChar)), path);
                }

                Files++;
                break;
            default:
                throw Refused(entry.Name, $"it is of the kind {entry.EntryType}");
        }
    }

    private void Add(TarEntry entry, string relative, FileKind kind)
    {
        if (!made.TryAdd(relative, kind))
        {
            throw Refused(entry.Name, "it comes twice");
        }
    }

    /// <summary>A name without its first part, which has to be the folder's.</summary>
    private string Relative(string name, bool folder)
    {
        var bare = folder ? name.TrimEnd('/') : name;
        var parts = bare.Split('/');
        if (parts[0] != top || parts.Any(p => p is "" or "." or "..") || bare.Contains('\0', StringComparison.Ordinal)
            || (OperatingSystem.IsWindows() && bare.AsSpan().IndexOfAny('\\', ':') >= 0))
        {
            throw Refused(name, "its name leads out of the folder");
        }

        return string.Join('/', parts.Skip(1));
    }

    private async Task WriteFileAsync(string? path, string relative, TarEntry entry, CancellationToken cancellationToken)
    {
        if (path is null)
        {
            if (await CopyAsync(entry, null, cancellationToken).ConfigureAwait(false) != entry.Length)
            {
                throw Refused(entry.Name, "it is shorter than it says");
            }

            return;
        }

        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var file = new FileStream(path, options);
        await using (file.ConfigureAwait(false))
        {
            var length = await CopyAsync(entry, file, cancellationToken).ConfigureAwait(false);
            if (length != entry.Length)
            {
                throw Refused(entry.Name, "it is shorter than it says");
            }

            RandomAccess.SetLength(file.SafeFileHandle, length);
        }

        Own(path, entry);
        if (!OperatingSystem.IsWindows())
        {
            // After the owner, as giving a file away takes these bits; and a program that runs as another is nothing to bring in with data.
            File.SetUnixFileMode(path, entry.Mode & ~SetIds);
        }

        if ((entry.Mode & SetIds) != 0)
        {
            withoutSetIds.Add(relative);
        }

        File.SetLastWriteTimeUtc(path, Time(entry));
    }

    private async Task<long> CopyAsync(TarEntry entry, FileStream? file, CancellationToken cancellationToken)
    {
        long length = 0;
        int n;
        while ((n = await ReadAsync(entry, buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            // Zeros are left to the file system: a file with holes gets its holes back.
            if (file is not null && buffer.AsSpan(0, n).ContainsAnyExcept((byte)0))
            {
                await RandomAccess.WriteAsync(file.SafeFileHandle, buffer.AsMemory(0, n), length, cancellationToken).ConfigureAwait(false);
            }

            length += n;
            Bytes += n;
            if (target is not null)
            {
                observer.Progress(new OperationProgress($"Restoring folder {top}", string.Create(CultureInfo.InvariantCulture, $"{made.Count:N0} files and folders, {Bytes / 1e6:N0} MB"), null, null));
            }
        }

        return length;
    }

    private static async Task<int> ReadAsync(TarEntry entry, byte[] buffer, CancellationToken cancellationToken)
    {
        try
        {
            return entry.DataStream is { } data ? await data.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) : 0;
        }
        catch (EndOfStreamException)
        {
            throw Refused(entry.Name, "it is shorter than it says");
        }
    }

    private void Own(string path, TarEntry entry)
    {
        var (user, group) = entry is PosixTarEntry posix ? (posix.UserName, posix.GroupName) : ("", "");
        string Number(int id) => unchecked((uint)id).ToString(CultureInfo.InvariantCulture);
        if (UnixFile.Give(path, user.Length > 0 ? user : Number(entry.Uid), group.Length > 0 ? group : Number(entry.Gid)) is { } note)
        {
            ownerNotes.Add(note);
        }
    }

    private static DateTime Time(TarEntry entry) => entry.ModificationTime.UtcDateTime;

    private static MoltException Refused(string name, string why)
        => new("FolderEntryRefused", ErrorKind.InvalidData, $"{Shown(name)} in the backup is refused: {why}.", "Nothing of the folder was restored. Somebody may have made this backup to do harm: find out where it is from, and use another.", Shown(name));

    private static string Shown(string text) => new([.. text.Take(200).Select(c => char.IsControl(c) ? '?' : c)]);
}
