using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// <c>database.dump</c> for pg_restore: a file, since parallel work needs to seek. Of an encrypted archive it lies in memory only; where
/// the system has no files in memory each run of pg_restore gets it through its standard input, decrypted anew.
/// </summary>
public sealed class DumpFile : IAsyncDisposable
{
    private const int Piece = 1 << 17;

    private readonly ArchiveReader archive;
    private readonly ScratchFile? file;

    private DumpFile(ArchiveReader archive, ScratchFile? file)
    {
        this.archive = archive;
        this.file = file;
    }

    /// <summary>Whether pg_restore can work with several connections.</summary>
    public bool IsSeekable => file is not null;

    /// <summary>The major version in what <c>pg_dump --version</c> said.</summary>
    public static int MajorOf(string version)
        => int.TryParse(new string([.. version.TakeWhile(char.IsAsciiDigit)]), NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : 0;

    /// <summary>Reads the member to its end, checking its SHA-256, and keeps it where pg_restore can have it: never decrypted on a disk.</summary>
    /// <param name="archive">Is read again by each run where there are no files in memory.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <param name="hasMemory">Whether the system has files that lie in memory; null to ask it.</param>
    /// <exception cref="MoltException"><c>ArchiveDamaged</c>, <c>TemporarySpace</c>, <c>TemporaryMemory</c>, and those of encrypted members.</exception>
    public static async Task<DumpFile> ExtractAsync(ArchiveReader archive, CancellationToken cancellationToken, bool? hasMemory = null)
    {
        var member = archive.Member(ArchiveFormat.DatabaseDump);
        if (archive.Encrypted && !(hasMemory ?? ScratchFile.HasMemory))
        {
            var once = archive.OpenPlain(member);
            await using (once.ConfigureAwait(false))
            {
                await once.CopyToAsync(Stream.Null, Piece, cancellationToken).ConfigureAwait(false);
            }

            return new DumpFile(archive, null);
        }

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

            return new DumpFile(archive, file);
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

    /// <summary>Runs pg_restore with the dump to its end.</summary>
    /// <param name="tools">Where it is.</param>
    /// <param name="arguments">But for the dump's name.</param>
    /// <param name="environment">As of <see cref="ChildProgram.Start"/>.</param>
    /// <param name="observer">Is told each line of its error output.</param>
    /// <param name="limit">The most bytes that it may write.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>What it wrote, as UTF-8 text.</returns>
    /// <exception cref="MoltException">As of <see cref="ChildProgram.CaptureAsync"/>; those of the member, when it is read again.</exception>
    public async Task<string> RunAsync(ClientTools tools, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, IOperationObserver? observer, int limit, CancellationToken cancellationToken)
    {
        var said = "";
        await ReadAsync(tools, arguments, environment, observer, async (output, stop) => said = await ListenAsync(output, limit, stop).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        return said;
    }

    /// <summary>As <see cref="RunAsync"/>, with what pg_restore writes as a stream.</summary>
    /// <param name="tools">Where it is.</param>
    /// <param name="arguments">But for the dump's name.</param>
    /// <param name="environment">As of <see cref="ChildProgram.Start"/>.</param>
    /// <param name="observer">Is told each line of its error output.</param>
    /// <param name="read">Reads all of it. What it was is known to be good only when this method returns.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">As of <see cref="RunAsync"/>.</exception>
    public async Task ReadAsync(ClientTools tools, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, IOperationObserver? observer, Func<Stream, CancellationToken, Task> read, CancellationToken cancellationToken)
    {
        var child = ChildProgram.Start(tools.PgRestore, file is null ? arguments : [.. arguments, file.Path], environment, observer, redirectInput: file is null, cancellationToken);
        await using (child.ConfigureAwait(false))
        {
            if (file is not null)
            {
                await read(child.Output, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await RunTogether.RunAsync(cancellationToken, stop => [Task.Run(() => FeedAsync(child, stop), stop), Task.Run(() => read(child.Output, stop), stop)]).ConfigureAwait(false);
            }

            await child.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public ValueTask DisposeAsync() => file?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>pg_restore does not read what it does not need; the member is read to its end all the same, as only there it proves to be what was encrypted.</summary>
    private async Task FeedAsync(ChildProgram child, CancellationToken cancellationToken)
    {
        var buffer = new byte[Piece];
        var listens = true;
        var content = archive.OpenPlain(archive.Member(ArchiveFormat.DatabaseDump));
        await using (content.ConfigureAwait(false))
        {
            while (await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var n)
            {
                try
                {
                    if (listens)
                    {
                        await child.Input.WriteAsync(buffer.AsMemory(0, n), cancellationToken).ConfigureAwait(false);
                    }
                }
                catch (IOException)
                {
                    listens = false;
                }
            }
        }

        try
        {
            await child.Input.DisposeAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            // It has ended before it read all.
        }
    }

    private static async Task<string> ListenAsync(Stream output, int limit, CancellationToken cancellationToken)
    {
        using var text = new MemoryStream();
        var buffer = new byte[1 << 14];
        while (await output.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var n)
        {
            if (text.Length + n > limit)
            {
                throw new MoltException("ChildProgramOutputTooLong", ErrorKind.InvalidData, $"pg_restore wrote more than {limit} bytes.", target: "pg_restore");
            }

            text.Write(buffer, 0, n);
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }
}
