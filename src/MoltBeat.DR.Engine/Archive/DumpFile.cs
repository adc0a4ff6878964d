using System.Globalization;

namespace MoltBeat.DR.Engine.Archive;

/// <summary><c>database.dump</c> as a file that pg_restore can open: it needs to seek for parallel work.</summary>
public sealed class DumpFile : IAsyncDisposable
{
    private readonly ScratchFile file;

    private DumpFile(ScratchFile file)
    {
        this.file = file;
    }

    /// <summary>What to give pg_restore as its file name.</summary>
    public string Path => file.Path;

    /// <summary>The major version in what <c>pg_dump --version</c> said.</summary>
    public static int MajorOf(string version)
        => int.TryParse(new string([.. version.TakeWhile(char.IsAsciiDigit)]), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : 0;

    /// <summary>Copies the member out, checking its SHA-256. Of an encrypted archive it goes to memory, and to no disk.</summary>
    /// <exception cref="MoltException"><c>ArchiveDamaged</c>, <c>TemporarySpace</c>, <c>TemporaryMemory</c>, and those of encrypted members.</exception>
    public static async Task<DumpFile> ExtractAsync(ArchiveReader archive, CancellationToken cancellationToken)
    {
        var member = archive.Member(ArchiveFormat.DatabaseDump);
        if (archive.Encrypted && member.Length > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2)
        {
            throw new MoltException("TemporaryMemory", ErrorKind.ResourceFull,
                string.Create(CultureInfo.InvariantCulture, $"{ArchiveFormat.DatabaseDump} has {member.Length / 1e6:N0} MB, more than half of this machine's memory: decrypted it is to lie in memory only."),
                "Restore on a machine with more memory, or with the restore.sh in the archive, which streams it.", archive.Location);
        }

        ScratchFile? file = null;
        try
        {
            file = archive.Encrypted ? ScratchFile.CreateInMemory() : ScratchFile.Create();
            var content = archive.OpenPlain(member);
            await using (content.ConfigureAwait(false))
            {
                await content.CopyToAsync(file.Stream, 1 << 18, cancellationToken).ConfigureAwait(false);
            }

            return new DumpFile(file);
        }
        catch (Exception e)
        {
            if (file is not null)
            {
                await file.DisposeAsync().ConfigureAwait(false);
            }

            if (e is not (IOException or UnauthorizedAccessException))
            {
                throw;
            }

            throw new MoltException("TemporarySpace", ErrorKind.ResourceFull,
                string.Create(CultureInfo.InvariantCulture, $"{System.IO.Path.GetTempPath()} does not take the {member.Length / 1e6:N1} MB of {ArchiveFormat.DatabaseDump}: {e.Message}"),
                "Free space there, or let TMPDIR name a folder with more.", System.IO.Path.GetTempPath(), e);
        }
    }

    public ValueTask DisposeAsync() => file.DisposeAsync();
}
