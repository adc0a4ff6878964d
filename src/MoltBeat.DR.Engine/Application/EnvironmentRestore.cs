using System.Globalization;
using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application;

/// <summary>
/// Writes environment files back: each whole or not at all, readable to its owner only, never over a file that is there unless told
/// to, and then that one is kept beside. Variables are compared by name; no value leaves this class.
/// </summary>
public sealed class EnvironmentRestore : IExtraRestore
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string? folder;
    private readonly bool force;

    /// <param name="folder">Absolute path of the folder that they go to; null for the places where they were.</param>
    /// <param name="force">Whether a file that is there may be replaced.</param>
    public EnvironmentRestore(string? folder, bool force)
    {
        this.folder = folder is null ? null : Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        this.force = force;
    }

    public ExtraKind Kind => ExtraKind.Environment;

    public async Task<IReadOnlyList<ExtraRestoreItem>> PlanAsync(ArchiveReader archive, IReadOnlyList<ExtraContents> extras, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(archive);
        ArgumentNullException.ThrowIfNull(extras);
        var files = extras.SelectMany(e => e.Parts.Select(p => (Extra: e, Part: p))).ToList();
        var ownNames = files.GroupBy(f => OwnName(f.Part) ?? "", StringComparer.OrdinalIgnoreCase).Where(g => g.Count() == 1).Select(g => g.Key).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var items = new List<ExtraRestoreItem>();
        foreach (var (extra, part) in files)
        {
            // Two files called .env cannot both be called so in one folder: then they get the names that tell them apart.
            var name = OwnName(part) is { } own && ownNames.Contains(own) ? own : ExtraNames.Safe(extra.Name);
            var target = folder is null ? part.File?.Path ?? "" : Path.Combine(folder, name);
            try
            {
                CheckPlace(target, part, name);
                items.Add(await LookAsync(archive, extra, part, target, cancellationToken).ConfigureAwait(false));
            }
            catch (MoltException e) when (e.Id.StartsWith("Environment", StringComparison.Ordinal))
            {
                items.Add(new ExtraRestoreItem(Kind, extra.Name, target, $"Write environment file {extra.Name}") { Problem = e });
            }
        }

        foreach (var twice in items.GroupBy(i => i.Target, StringComparer.Ordinal).Where(g => g.Count() > 1).SelectMany(g => g.Skip(1)).ToList())
        {
            items[items.IndexOf(twice)] = twice with { Problem = twice.Problem ?? PlaceInvalid(twice.Target, "two files of the backup would be written there") };
        }

        return items;
    }

    public async Task<ExtraRestoreResult> RestoreAsync(ArchiveReader archive, ExtraRestoreItem item, IOperationObserver observer, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(archive);
        var part = ((EnvironmentItem)item).Part;
        var content = await ReadAsync(archive, part, cancellationToken).ConfigureAwait(false);
        byte[]? present = null;
        try
        {
            CheckPlace(item.Target, part, Path.GetFileName(item.Target));
            present = Present(item.Target);
            var diff = EnvironmentDiff.Of(present, content);
            var same = present is not null && present.AsSpan().SequenceEqual(content);
            if (present is not null && !same && !force)
            {
                throw Exists(item.Target, diff);
            }

            var notes = new List<string>();
            var kept = same ? null : Write(item.Target, content, part.File!, present, notes);
            return new EnvironmentRestoreResult
            {
                Name = item.Name,
                Target = item.Target,
                Status = same ? EnvironmentRestoreStatus.Same : present is null ? EnvironmentRestoreStatus.Written : EnvironmentRestoreStatus.Replaced,
                Kept = kept,
                Variables = diff,
                Notes = notes,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(item.Target, e);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
            CryptographicOperations.ZeroMemory(present);
        }
    }

    private async Task<ExtraRestoreItem> LookAsync(ArchiveReader archive, ExtraContents extra, ExtraPart part, string target, CancellationToken cancellationToken)
    {
        var content = await ReadAsync(archive, part, cancellationToken).ConfigureAwait(false);
        byte[]? present = null;
        try
        {
            present = Present(target);
            var diff = EnvironmentDiff.Of(present, content);
            if (present is null)
            {
                return new EnvironmentItem(extra.Name, target, $"Write environment file {extra.Name}, a new file: {diff}", part);
            }

            if (present.AsSpan().SequenceEqual(content))
            {
                return new EnvironmentItem(extra.Name, target, $"Leave environment file {extra.Name}: it is the same already", part);
            }

            return new EnvironmentItem(extra.Name, target, $"Replace environment file {extra.Name}, which keeps the present one beside it: {diff}", part) { Problem = force ? null : Exists(target, diff) };
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
            CryptographicOperations.ZeroMemory(present);
        }
    }

    /// <summary>The file's own name, if it is a name and no way to somewhere else.</summary>
    private static string? OwnName(ExtraPart part)
    {
        var name = part.File?.Path[(part.File.Path.LastIndexOfAny(['/', '\\']) + 1)..];
        return name is null or "" or "." or ".." || name.Length > 200 || name.Any(c => char.IsControl(c) || c is ':') ? null : name;
    }

    private void CheckPlace(string target, ExtraPart part, string name)
    {
        if (part.File is null || part.RawBytes > EnvironmentFiles.LargestFile)
        {
            throw PlaceInvalid(name, "the backup does not say where it was, or it is too large");
        }

        if (name.Length == 0 || !Path.IsPathFullyQualified(target) || Path.GetFullPath(target) != target || target.Any(char.IsControl))
        {
            throw PlaceInvalid(target, "this is no absolute path to a file here");
        }

        var parent = Path.GetDirectoryName(target)!;
        if (folder is null && !Directory.Exists(parent))
        {
            throw PlaceInvalid(target, "its folder is not there");
        }

        if (folder is null && RealPath(parent) != parent)
        {
            // Who may write to a folder on the way could lead a restore by root to anywhere.
            throw PlaceInvalid(target, "a folder on the way is a symbolic link; name the folder that is meant with -EnvironmentPath");
        }

        if (UnixFile.Look(target) is { Kind: not FileKind.Regular } other)
        {
            throw PlaceInvalid(target, other.Kind == FileKind.Link ? "there is a symbolic link, and nothing is written through one" : "there is something that is no file");
        }
    }

    private static string RealPath(string path)
    {
        var real = Path.GetPathRoot(path)!;
        foreach (var segment in path[real.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, segment);
            real = UnixFile.Look(real) is { Kind: FileKind.Link } ? real + "\0" : real;
        }

        return real;
    }

    private static byte[]? Present(string target) => UnixFile.Look(target) is null ? null : EnvironmentFiles.Read(target).Content;

    private static async Task<byte[]> ReadAsync(ArchiveReader archive, ExtraPart part, CancellationToken cancellationToken)
    {
        if (part.RawBytes > EnvironmentFiles.LargestFile)
        {
            throw PlaceInvalid(part.Member, "it is larger than environment files are");
        }

        var content = new byte[part.RawBytes];
        var reader = archive.OpenExtra(part);
        await using (reader.ConfigureAwait(false))
        {
            await reader.ReadExactlyAsync(content, cancellationToken).ConfigureAwait(false);
            await reader.DrainAsync(cancellationToken).ConfigureAwait(false);
        }

        return content;
    }

    /// <returns>Where the file is kept that was there.</returns>
    private string? Write(string target, byte[] content, ExtraFile file, byte[]? present, List<string> notes)
    {
        var parent = Path.GetDirectoryName(target)!;
        if (folder is not null && !Directory.Exists(parent))
        {
            MakeFolder(parent);
        }

        var partial = Path.Combine(parent, $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.partial");
        try
        {
            WriteNew(partial, content);
            if (UnixFile.Give(partial, file.Owner, file.Group) is { } note)
            {
                notes.Add(note);
            }

            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(partial, ModeOf(file));
            }

            File.SetLastWriteTimeUtc(partial, file.Modified.UtcDateTime);
            string? kept = null;
            if (present is not null)
            {
                // A copy, so that there is a file under the name at every moment.
                kept = target + DateTime.UtcNow.ToString("'.before_'yyyyMMdd'T'HHmmssfff'Z'", CultureInfo.InvariantCulture);
                WriteNew(kept, present);
                var facts = UnixFile.Look(target);
                _ = UnixFile.Give(kept, UnixFile.UserName(facts?.Owner), UnixFile.GroupName(facts?.Group));
            }

            File.Move(partial, target, overwrite: present is not null);
            FolderSync.Sync(parent);
            return kept;
        }
        catch
        {
            Remove(partial);
            throw;
        }
    }

    private static void WriteNew(string path, byte[] content)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = Private;
        }

        using var file = new FileStream(path, options);
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    private static void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, Private | UnixFileMode.UserExecute);
        }
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What made us give up is the error to tell.
        }
    }

    /// <summary>0600, or what is narrower; a file that its owner could not read would be of no use.</summary>
    private static UnixFileMode ModeOf(ExtraFile file)
        => int.TryParse(file.Mode, NumberStyles.None, CultureInfo.InvariantCulture, out _) && file.Mode!.All(c => c is >= '0' and <= '7') && file.Mode.Length <= 5
            && ((UnixFileMode)Convert.ToInt32(file.Mode, 8) & Private) is var mode && mode.HasFlag(UnixFileMode.UserRead) ? mode : Private;

    private static MoltException Exists(string target, EnvironmentDiff diff)
        => new("EnvironmentFileExists", ErrorKind.AlreadyExists, $"{target} is there already. Compared with it, the backup's {diff}.",
            "Pass -Force to replace it, which keeps the present one beside it; or name another folder with -EnvironmentPath.", target);

    private static MoltException PlaceInvalid(string target, string why)
        => new("EnvironmentPlaceInvalid", ErrorKind.InvalidData, $"Nothing is written to {Shown(target)}: {why}.", "Name a folder for it with -EnvironmentPath.", Shown(target));

    private static MoltException NotWritable(string target, Exception e)
        => new("EnvironmentFileNotWritable", ErrorKind.PermissionDenied, $"{target} could not be written, and what was there is as it was: {e.Message}", "Run as a user that may write there, or name another folder with -EnvironmentPath.", target, e);

    private static string Shown(string text) => new([.. text.Take(200).Select(c => char.IsControl(c) ? '?' : c)]);

    private sealed record EnvironmentItem(string File, string Target, string Action, ExtraPart Part) : ExtraRestoreItem(ExtraKind.Environment, File, Target, Action);
}
