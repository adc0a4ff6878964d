using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>
/// Dumps of stock tools beside the archives. They are listed and nothing more: no rule of retention counts or removes them,
/// and no health check is content with one.
/// </summary>
public static partial class DumpCatalog
{
    private static readonly string[] s_endings = [".sql", ".sql.gz", ".sql.zst", ".dump", ".dump.gz", ".pgdump", ".backup"];

    /// <summary>What files begin with that take restored rows out again: SQL, and no backups.</summary>
    public const string UndoPrefix = "moltbeat_undo_";

    /// <summary>Whether files of this name are looked into when a folder is listed.</summary>
    public static bool IsDumpName(string name)
    {
        if (name.StartsWith(UndoPrefix, StringComparison.Ordinal))
        {
            return false;
        }

        var plain = name.EndsWith(".gpg", StringComparison.OrdinalIgnoreCase) ? name[..^4] : name;
        return s_endings.Any(e => plain.EndsWith(e, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The dumps in those of the stores that are folders, newest first. A bucket's are not listed: there each is named.</summary>
    /// <param name="stores">The stores.</param>
    /// <param name="onError">Is told of each file that is called like a dump, and is none.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<List<BackupInfo>> ListAsync(IReadOnlyList<IBackupStore> stores, Action<MoltException> onError, CancellationToken cancellationToken)
    {
        var found = new List<BackupInfo>();
        foreach (var store in stores.Where(s => s.Settings.Folder is not null))
        {
            List<string> names;
            try
            {
                var folder = new DirectoryInfo(store.Settings.Folder!);
                names = folder.EnumerateFiles().Where(f => IsDumpName(f.Name)).Select(f => f.Name)
                    .Concat(folder.EnumerateDirectories().Where(d => DumpSource.IsDirectory(d.FullName)).Select(d => d.Name)).ToList();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue; // whoever lists the archives there says so
            }

            foreach (var name in names)
            {
                try
                {
                    found.Add(await ReadAsync(store, name, cancellationToken).ConfigureAwait(false) ?? throw DumpErrors.NotADump(store.Settings.ItemLocation(name)));
                }
                catch (MoltException e) when (e.Id != "BackupNotFound")
                {
                    onError(e);
                }
                catch (MoltException)
                {
                    // Removed since it was listed.
                }
            }
        }

        found.Sort((a, b) => b.Created.CompareTo(a.Created));
        return found;
    }

    /// <summary>Opens a dump.</summary>
    /// <param name="store">Where it is.</param>
    /// <param name="name">Its file name.</param>
    /// <param name="opener">Opens what is encrypted.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Null when it is no dump.</returns>
    public static async Task<DumpSource?> OpenAsync(IBackupStore store, string name, IMemberOpener? opener, CancellationToken cancellationToken)
    {
        // Not one request more for what is called as archives are.
        if (name.EndsWith(ArchiveFormat.Extension, StringComparison.Ordinal))
        {
            return null;
        }

        if (store.Settings.Folder is { } folder && DumpSource.IsDirectory(Path.Combine(folder, name)))
        {
            return DumpSource.OfDirectory(Path.Combine(folder, name));
        }

        var file = await store.FindAsync(name, cancellationToken).ConfigureAwait(false);
        return await DumpSource.OfFileAsync(await store.OpenAsync(file, manifestOnly: false, cancellationToken).ConfigureAwait(false), opener, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What its name and its first bytes tell of a dump.</summary>
    /// <returns>Null when it is no dump.</returns>
    public static async Task<BackupInfo?> ReadAsync(IBackupStore store, string name, CancellationToken cancellationToken)
    {
        var source = await OpenAsync(store, name, null, cancellationToken).ConfigureAwait(false);
        if (source is null)
        {
            return null;
        }

        await using (source.ConfigureAwait(false))
        {
            return Describe(source, store, name);
        }
    }

    /// <summary>What its name tells of a dump that is open.</summary>
    public static BackupInfo Describe(DumpSource source, IBackupStore store, string name)
    {
        var time = TimeIn(name);
        var created = time ?? Modified(store, name) ?? DateTimeOffset.UnixEpoch;
        var manifest = new Manifest
        {
            FormatVersion = ArchiveFormat.Version,
            Id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name}|{source.Length}"))))[..32],
            Kind = BackupKind.Manual,
            Database = DatabaseIn(name),
            Created = created,
            Completed = created,
            Server = new ServerInfo { Version = "", VersionNumber = 0, InRecovery = false },
            Tools = new ToolInfo("", ""),
            Rows = 0,
            Tables = 0,
            RawBytes = 0,
            Notes =
            [
                time is not null ? "Its time is the one in its name, taken as UTC." : created == DateTimeOffset.UnixEpoch ? "Nothing tells when it was made." : "Its time is that of the file.",
                "It is a dump of stock tools: its rows are counted when it is read, and have no digests that a restore could be held against.",
            ],
            Members = [],
        };
        return new BackupInfo(manifest, "", name, [new BackupLocation(store.Settings.Name, source.Location, source.Length, null)]) { Format = source.Format, SealedDump = source.Encrypted };
    }

    private static DateTimeOffset? Modified(IBackupStore store, string name)
    {
        if (store.Settings.Folder is not { } folder)
        {
            return null;
        }

        var path = Path.Combine(folder, name);
        return File.GetLastWriteTimeUtc(Directory.Exists(path) ? Path.Combine(path, "toc.dat") : path);
    }

    private static DateTimeOffset? TimeIn(string name)
        => Time().Match(name) is { Success: true } match
            && DateTimeOffset.TryParseExact(string.Concat(match.Groups.Values.Skip(1).Select(g => g.Value)).PadRight(14, '0'), "yyyyMMddHHmmss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    private static string DatabaseIn(string name)
    {
        var time = Time().Match(name);
        var stem = time is { Success: true, Index: > 0 } ? name[..time.Index] : name.Split('.')[0];
        stem = stem.TrimEnd('_', '-', '.');
        foreach (var word in new[] { "_backup", "-backup", "_dump", "-dump" })
        {
            stem = stem.Length > word.Length && stem.EndsWith(word, StringComparison.OrdinalIgnoreCase) ? stem[..^word.Length] : stem;
        }

        return stem.Length > 0 ? stem : name;
    }

    [GeneratedRegex(@"(?<!\d)(20\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?:[-_.T ]?(\d\d)[-_.:]?(\d\d)(?:[-_.:]?(\d\d))?)?(?!\d)", RegexOptions.CultureInvariant)]
    private static partial Regex Time();
}
