namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>
/// A dump that stock tools have made, wherever it lies: known by its first bytes and not by its name. What is encrypted is
/// decrypted as it is read, and nothing of it is written anywhere.
/// </summary>
public sealed class DumpSource : IAsyncDisposable
{
    private const int HeadBytes = 64;

    private readonly IArchiveInput? input;
    private readonly IMemberOpener? opener;

    private DumpSource(string location, long length, BackupFormat format, bool encrypted, IArchiveInput? input, IMemberOpener? opener)
    {
        Location = location;
        Length = length;
        Format = format;
        Encrypted = encrypted;
        this.input = input;
        this.opener = opener;
    }

    public string Location { get; }

    /// <summary>Bytes as stored.</summary>
    public long Length { get; }

    /// <summary>Of an encrypted one <see cref="BackupFormat.Sql"/> until it has been opened.</summary>
    public BackupFormat Format { get; private set; }

    public bool Encrypted { get; }

    /// <summary>It lies there compressed, as <c>gzip</c> or <c>zstd</c> have done it.</summary>
    public bool Compressed { get; private set; }

    /// <summary>Looks whether a folder is one of <c>pg_dump -Fd</c>.</summary>
    public static bool IsDirectory(string folder) => File.Exists(Path.Combine(folder, "toc.dat"));

    /// <summary>A folder of <c>pg_dump -Fd</c>.</summary>
    /// <exception cref="MoltException"><c>DumpDamaged</c> when it cannot be read.</exception>
    public static DumpSource OfDirectory(string folder)
    {
        try
        {
            return new DumpSource(folder, new DirectoryInfo(folder).EnumerateFiles().Sum(f => f.Length), BackupFormat.Directory, false, null, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DumpErrors.Damaged(folder, e.Message, e);
        }
    }

    /// <summary>Looks at the first bytes of a file.</summary>
    /// <param name="input">Owned by what is returned; closed when that is null, or on an error.</param>
    /// <param name="opener">Opens what is encrypted.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Null when it is no dump.</returns>
    public static async Task<DumpSource?> OfFileAsync(IArchiveInput input, IMemberOpener? opener, CancellationToken cancellationToken)
    {
        try
        {
            var head = new byte[HeadBytes];
            var n = 0;
            for (int read; n < head.Length && (read = await input.ReadAtAsync(n, head.AsMemory(n), cancellationToken).ConfigureAwait(false)) > 0; n += read)
            {
            }

            if (Kind(head.AsSpan(0, n)) is { } kind)
            {
                return new DumpSource(input.Location, input.Length, kind == Head.Custom ? BackupFormat.Custom : BackupFormat.Sql, kind == Head.OpenPgp, input, opener) { Compressed = kind is Head.Gzip or Head.Zstd };
            }

            await input.DisposeAsync().ConfigureAwait(false);
            return null;
        }
        catch
        {
            await input.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The dump's own bytes, decrypted and decompressed. What it gives is to be believed only once it has ended without an error.</summary>
    /// <exception cref="MoltException"><c>PrivateKeyNeeded</c>, <c>DumpNotSupported</c>, <c>NotADump</c>, and those of <see cref="IMemberOpener"/>; while reading <c>DumpDamaged</c> as well.</exception>
    public async Task<Stream> OpenAsync(CancellationToken cancellationToken)
    {
        var stream = await HeadStream.OpenAsync((input ?? throw new InvalidOperationException()).OpenRange(0, input.Length), HeadBytes, cancellationToken).ConfigureAwait(false);
        var (decrypted, compressed) = (false, false);
        while (true)
        {
            switch (Kind(stream.Head))
            {
                case Head.OpenPgp when !decrypted && !compressed:
                    if (opener is null)
                    {
                        await stream.DisposeAsync().ConfigureAwait(false);
                        throw new MoltException("PrivateKeyNeeded", ErrorKind.AuthenticationFailed, $"{Location} is encrypted, and no private key is at hand.", "Name a private key with -KeyFile, or make it known to gpg on this machine.", Location);
                    }

                    decrypted = true;
                    stream = await HeadStream.OpenAsync(await opener.OpenAsync(stream, Location, cancellationToken).ConfigureAwait(false), HeadBytes, cancellationToken).ConfigureAwait(false);
                    break;
                case Head.Gzip when !compressed:
                    compressed = Compressed = true;
                    stream = await HeadStream.OpenAsync(UnpackedStream.Gzip(stream, Location), HeadBytes, cancellationToken).ConfigureAwait(false);
                    break;
                case Head.Zstd when !compressed:
                    compressed = Compressed = true;
                    stream = await HeadStream.OpenAsync(UnpackedStream.Zstd(stream, Location), HeadBytes, cancellationToken).ConfigureAwait(false);
                    break;
                case Head.Custom:
                    Format = BackupFormat.Custom;
                    return stream;
                case Head.Sql:
                    Format = BackupFormat.Sql;
                    return stream;
                default:
                    var empty = stream.Head.Length == 0;
                    await stream.DisposeAsync().ConfigureAwait(false);
                    throw empty ? DumpErrors.Incomplete(Location) : DumpErrors.NotADump(Location);
            }
        }
    }

    /// <summary>A name that pg_restore can open: the file itself, or a copy in memory or in a private temporary file of what is encrypted, compressed or elsewhere.</summary>
    /// <exception cref="MoltException"><c>TemporarySpace</c>, and those of <see cref="OpenAsync"/>.</exception>
    internal async Task<DumpFileName> NameAsync(CancellationToken cancellationToken)
    {
        if (input is null || (!Encrypted && !Compressed && File.Exists(Location)))
        {
            return new DumpFileName(Location, null);
        }

        ScratchFile? file = null;
        try
        {
            file = Encrypted ? ScratchFile.CreateInMemory() : ScratchFile.Create();
            var content = await OpenAsync(cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
            {
                await content.CopyToAsync(file.Stream, 1 << 18, cancellationToken).ConfigureAwait(false);
            }

            return new DumpFileName(file.Path, file);
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

            throw new MoltException("TemporarySpace", ErrorKind.ResourceFull, $"{Path.GetTempPath()} does not take {Location}: {e.Message}", "Free space there, or let TMPDIR name a folder with more.", Path.GetTempPath(), e);
        }
    }

    public ValueTask DisposeAsync() => input?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static Head? Kind(ReadOnlySpan<byte> head) => head switch
    {
        [0x1f, 0x8b, ..] => Head.Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Head.Zstd,
        _ when head.StartsWith("PGDMP"u8) => Head.Custom,
        [var first, ..] when IsSessionKey(first) => Head.OpenPgp,
        _ when head.StartsWith("--\n"u8) || head.StartsWith("--\r\n"u8) || head.StartsWith("-- "u8) || head.StartsWith("\\restrict "u8) || head.StartsWith("SET "u8) => Head.Sql,
        _ => null,
    };

    /// <summary>The head of an OpenPGP session key packet, to a key (1) or with a passphrase (3), in the old form or the new.</summary>
    private static bool IsSessionKey(byte first)
        => (first & 0xC0) == 0x80 ? (first >> 2 & 0x0F) is 1 or 3 : (first & 0xC0) == 0xC0 && (first & 0x3F) is 1 or 3;

    private enum Head
    {
        Gzip,
        Zstd,
        OpenPgp,
        Custom,
        Sql,
    }
}

/// <summary>A name for pg_restore, good until it is disposed of.</summary>
internal sealed record DumpFileName(string Path, ScratchFile? File) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => File?.DisposeAsync() ?? ValueTask.CompletedTask;
}
