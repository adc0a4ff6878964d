using System.Security.Cryptography;
using System.Text.Json;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// Reads an archive from its end: index, manifest, signature, then any member by position. Believes nothing in the file:
/// lengths are bounded by the file, names by what the format allows, and every byte handed out is hashed on the way. Members
/// go by their plain names, whether they are encrypted or not.
/// </summary>
public sealed class ArchiveReader : IAsyncDisposable
{
    private readonly IArchiveInput input;
    private readonly IMemberOpener? opener;
    private readonly Dictionary<string, MemberInfo> members;

    private ArchiveReader(IArchiveInput input, IMemberOpener? opener, ArchiveIndex index, Manifest manifest, ReadOnlyMemory<byte>? signature, string? signer)
    {
        this.input = input;
        this.opener = opener;
        Index = index;
        Manifest = manifest;
        Signature = signature;
        Signer = signer;
        members = manifest.Members.ToDictionary(m => ArchiveFormat.PlainName(m.Name), StringComparer.Ordinal);
    }

    public string Location => input.Location;

    public long Length => input.Length;

    public ArchiveIndex Index { get; }

    public Manifest Manifest { get; }

    /// <summary>Whether its members are encrypted.</summary>
    public bool Encrypted => Manifest.Recipients.Count > 0;

    /// <summary>The signature of its manifest, as it stands in the archive; null when there is none.</summary>
    public ReadOnlyMemory<byte>? Signature { get; }

    /// <summary>Fingerprint of the trusted key that signed it; null when nobody was asked whom to trust.</summary>
    public string? Signer { get; }

    /// <param name="input">The archive; owned by the reader once this returns, closed when it fails.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <param name="access">Opens encrypted members, and says whose signature is believed.</param>
    /// <exception cref="MoltException"><c>NotAnArchive</c>, <c>ArchiveVersionUnknown</c>, <c>ArchiveDamaged</c>; with a verifier its own errors and <c>ArchiveRenamed</c>.</exception>
    public static async Task<ArchiveReader> OpenAsync(IArchiveInput input, CancellationToken cancellationToken, ArchiveAccess? access = null)
    {
        try
        {
            var tail = new byte[Math.Min(ArchiveIndex.TailBytes, input.Length)];
            await ReadExactlyAsync(input, input.Length - tail.Length, tail, cancellationToken).ConfigureAwait(false);
            var index = ArchiveIndex.Parse(tail, input.Length, input.Location);
            var json = new byte[index.ManifestLength];
            await ReadExactlyAsync(input, index.ManifestOffset, json, cancellationToken).ConfigureAwait(false);
            if (Convert.ToHexStringLower(SHA256.HashData(json)) != index.ManifestSha256)
            {
                throw Damaged(input.Location, "its manifest does not have the SHA-256 that the index gives");
            }

            var manifest = ParseManifest(json, index, input.Length, input.Location);
            var signature = index.SignatureLength > 0 ? await ReadSignatureAsync(input, index, cancellationToken).ConfigureAwait(false) : (ReadOnlyMemory<byte>?)null;
            var signer = access?.Verifier?.Verify(json, signature, input.Location);
            if (signer is not null)
            {
                CheckName(manifest, input.Location);
            }

            return new ArchiveReader(input, access?.Opener, index, manifest, signature, signer);
        }
        catch
        {
            await input.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The member of this plain name.</summary>
    /// <exception cref="MoltException"><c>ArchiveDamaged</c> when there is none.</exception>
    public MemberInfo Member(string name)
        => members.TryGetValue(name, out var member) ? member : throw Damaged(Location, $"it has no member {name}");

    public bool Has(string name) => members.ContainsKey(name);

    /// <summary>The member's bytes as stored; throws at their end when they do not have the manifest's SHA-256.</summary>
    public Stream OpenMember(MemberInfo member) => new MemberStream(this, member);

    /// <summary>The member's plain bytes; the stored bytes are checked likewise. Reading throws what <see cref="IMemberOpener.OpenAsync"/> does.</summary>
    /// <exception cref="MoltException"><c>PrivateKeyNeeded</c> when it is encrypted, and there is no key.</exception>
    public Stream OpenPlain(MemberInfo member)
        => !member.Name.EndsWith(ArchiveFormat.EncryptedExtension, StringComparison.Ordinal) ? OpenMember(member)
            : opener is not null ? new PlainStream(OpenMember(member), opener, member.Name)
            : throw new MoltException("PrivateKeyNeeded", ErrorKind.AuthenticationFailed, $"{Location} is encrypted to {string.Join(" and ", Manifest.Recipients.Select(r => r.Fingerprint))}, and no private key is at hand.",
                "Name a private key with -KeyFile, or make it known to gpg on this machine.", Location);

    /// <summary>The member's plain bytes decompressed; checked likewise.</summary>
    public Stream OpenCompressed(MemberInfo member)
        => new DecompressionStream(OpenPlain(member), bufferSize: 1 << 18, checkEndOfStream: true, leaveOpen: false);

    /// <summary>A part of something beside the database, decompressed and held against the contents.</summary>
    internal ExtraReader OpenExtra(ExtraPart part) => new(this, part);

    /// <summary>Reads <c>contents.json</c> and checks that it agrees with the manifest.</summary>
    /// <exception cref="MoltException"><c>ArchiveDamaged</c>.</exception>
    public async Task<Contents> ReadContentsAsync(CancellationToken cancellationToken)
    {
        var json = await ReadDescriptionAsync(ArchiveFormat.Contents, cancellationToken).ConfigureAwait(false);
        try
        {
            var contents = ArchiveJson.Read(json.Span, ArchiveJson.Default.Contents);
            Check(contents);
            return contents;
        }
        catch (Exception e) when (e is JsonException or FormatException or OverflowException)
        {
            throw Damaged(Location, "its contents cannot be read", e);
        }
    }

    /// <summary>Decompresses a member that is small in every real archive.</summary>
    /// <exception cref="MoltException"><c>ArchiveDamaged</c>, also when it expands further than any real one.</exception>
    public async Task<ReadOnlyMemory<byte>> ReadDescriptionAsync(string name, CancellationToken cancellationToken)
    {
        var member = Member(name);
        var most = Math.Min(ArchiveFormat.MaxDescriptionBytes, (member.Length + 1024) * ArchiveFormat.MaxDescriptionExpansion);
        try
        {
            using var bytes = new MemoryStream();
            var stream = OpenCompressed(member);
            await using (stream.ConfigureAwait(false))
            {
                var buffer = new byte[1 << 16];
                int n;
                while ((n = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
                {
                    if (bytes.Length + n > most)
                    {
                        throw Damaged(Location, $"{name} expands beyond any real one");
                    }

                    bytes.Write(buffer, 0, n);
                }
            }

            // Not even an empty text is compressed to nothing.
            return member.Length > 0 ? bytes.GetBuffer().AsMemory(0, (int)bytes.Length) : throw Damaged(Location, $"{name} is empty");
        }
        catch (Exception e) when (e is ZstdException or EndOfStreamException)
        {
            throw Damaged(Location, $"{name} does not decompress", e);
        }
    }

    /// <summary>All bytes of the archive from a position on, unchecked: see <see cref="MemberChecker"/>.</summary>
    public Stream OpenRaw(long offset) => input.OpenRange(offset, Length - offset);

    /// <summary>Reads at a position of the archive, for checks of its layout.</summary>
    public async Task<byte[]> ReadRawAsync(long offset, int length, CancellationToken cancellationToken)
    {
        var bytes = new byte[length];
        await ReadExactlyAsync(input, offset, bytes, cancellationToken).ConfigureAwait(false);
        return bytes;
    }

    public ValueTask DisposeAsync() => input.DisposeAsync();

    internal static MoltException Damaged(string location, string how, Exception? inner = null)
        => new("ArchiveDamaged", ErrorKind.InvalidData, $"{location} is damaged: {how}.", "Use another copy of this backup, or another backup.", location, inner);

    private static Manifest ParseManifest(byte[] json, ArchiveIndex index, long archiveLength, string location)
    {
        Manifest manifest;
        try
        {
            manifest = ArchiveJson.Read(json, ArchiveJson.Default.Manifest);
        }
        catch (JsonException e)
        {
            throw Damaged(location, "its manifest cannot be read", e);
        }

        if (manifest.FormatVersion != ArchiveFormat.Version)
        {
            throw new MoltException("ArchiveVersionUnknown", ErrorKind.NotSupported,
                $"{location} is of archive format {manifest.FormatVersion}; this module reads format {ArchiveFormat.Version}.",
                "Use a newer MoltBeat.DR, or the restore.sh inside the archive.", location);
        }

        // Members lie one behind another and before the manifest: then no length can reach outside of the file.
        long at = 0;
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in manifest.Members)
        {
            if (!IsSafeName(member.Name) || !names.Add(ArchiveFormat.PlainName(member.Name)))
            {
                throw Damaged(location, $"its manifest has a member whose name is not allowed or is there twice ({Shown(member.Name)})");
            }

            if (member.Offset != at + TarHeader.BlockBytes || member.Length < 0 || member.Length > index.ManifestOffset - member.Offset)
            {
                throw Damaged(location, $"its manifest gives {member.Name} a place where it cannot be");
            }

            // In an encrypted archive nobody slips a readable member in, nor the other way round.
            var mustBeEncrypted = manifest.Recipients.Count > 0 && !ArchiveFormat.StaysOpen(member.Name);
            if (member.Name.EndsWith(ArchiveFormat.EncryptedExtension, StringComparison.Ordinal) != mustBeEncrypted)
            {
                throw Damaged(location, $"its manifest names {manifest.Recipients.Count} recipients, and {member.Name} is {(mustBeEncrypted ? "not " : "")}encrypted");
            }

            at = After(member.Offset, member.Length);
        }

        var end = After(index.ManifestOffset, index.ManifestLength);
        var signed = index.SignatureLength > 0;
        if (at + TarHeader.BlockBytes != index.ManifestOffset
            || index.SignatureOffset != (signed ? end + TarHeader.BlockBytes : 0)
            || archiveLength - ArchiveIndex.TailBytes != (signed ? After(index.SignatureOffset, index.SignatureLength) : end))
        {
            throw Damaged(location, "its manifest does not account for all of the file");
        }

        return manifest;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadSignatureAsync(IArchiveInput input, ArchiveIndex index, CancellationToken cancellationToken)
    {
        if (index.SignatureLength > ArchiveFormat.MaxSignatureBytes)
        {
            throw Damaged(input.Location, "its signature is larger than any");
        }

        var signature = new byte[index.SignatureLength];
        await ReadExactlyAsync(input, index.SignatureOffset, signature, cancellationToken).ConfigureAwait(false);
        return signature;
    }

    /// <summary>A signature speaks for the name as well: an older backup put in a newer one's place is not that one.</summary>
    private static void CheckName(Manifest manifest, string location)
    {
        var name = location.Split('?')[0].Split('/', '\\')[^1];
        if (manifest.Name != name)
        {
            throw new MoltException("ArchiveRenamed", ErrorKind.InvalidData, $"{location} was made and signed as {Shown(manifest.Name ?? "an archive without a name")}: it was renamed, or put in the place of another.",
                "Find out who writes into the store. If you renamed it yourself, give it its name back.", location);
        }
    }

    private static long After(long offset, long length) => offset + length + TarHeader.Padding(length);

    private static bool IsSafeName(string name)
        => name.Length is > 0 and <= 255
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/')
            && !name.Split('/').Any(part => part is "" or "." or "..");

    private static string Shown(string name) => new([.. name.Take(80).Select(c => char.IsControl(c) ? '?' : c)]);

    private void Check(Contents contents)
    {
        var names = new HashSet<(string, string)>();
        var oids = new HashSet<uint>();
        var parts = new HashSet<string>(StringComparer.Ordinal);
        foreach (var table in contents.Tables)
        {
            if (!names.Add((table.Schema, table.Name)) || !oids.Add(table.Oid) || !Enum.IsDefined(table.Format))
            {
                throw Damaged(Location, $"its contents describe {table.QuotedName} twice, or in a form that is not known");
            }

            if (table.Types.Count != 0 && table.Types.Count != table.Columns.Count)
            {
                throw Damaged(Location, $"its contents give {table.QuotedName} {table.Columns.Count} columns and {table.Types.Count} types");
            }

            var rows = new RowDigest(0, 0);
            long bytes = 0;
            foreach (var part in table.Parts)
            {
                if (part.Rows < 0 || part.RawBytes < 0 || part.Member != ArchiveFormat.PlainName(part.Member) || !part.Member.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal) || !parts.Add(part.Member))
                {
                    throw Damaged(Location, $"its contents describe an impossible part of {table.QuotedName}");
                }

                if (part.RawBytes / ArchiveFormat.MaxExpansion > Member(part.Member).Length + 64)
                {
                    throw Damaged(Location, $"{part.Member} would expand beyond anything a table's rows can");
                }

                rows += new RowDigest(part.Rows, RowDigest.ParseHex(part.Digest));
                bytes = checked(bytes + part.RawBytes);
            }

            if (rows.Rows != table.Rows || rows.ToHex() != table.Digest || bytes != table.RawBytes)
            {
                throw Damaged(Location, $"the parts of {table.QuotedName} do not sum to the table");
            }
        }

        if (contents.Tables.Sum(t => t.Rows) != Manifest.Rows || contents.Tables.Sum(t => t.RawBytes) != Manifest.RawBytes || contents.Tables.Count != Manifest.Tables)
        {
            throw Damaged(Location, "its contents and its manifest count different rows");
        }

        if (members.Keys.FirstOrDefault(m => m.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal) && !parts.Contains(m)) is { } stray)
        {
            throw Damaged(Location, $"its contents do not say which table {stray} is of");
        }

        CheckExtras(contents);
        if (contents.Database.Grants?.Any(g => g.Privilege is not ("CONNECT" or "CREATE" or "TEMPORARY" or "TEMP")) == true)
        {
            throw Damaged(Location, "its contents name a right that no database has");
        }
    }

    private void CheckExtras(Contents contents)
    {
        var names = new HashSet<(ExtraKind, string)>();
        var parts = new HashSet<string>(StringComparer.Ordinal);
        foreach (var extra in contents.Extras)
        {
            if (!Enum.IsDefined(extra.Kind) || extra.Name.Length == 0 || !names.Add((extra.Kind, extra.Name)) || (extra.Missing is not null && extra.Parts.Count > 0))
            {
                throw Damaged(Location, $"its contents describe an impossible {Shown(extra.ToString())}");
            }

            foreach (var part in extra.Parts)
            {
                if (part.Items < 0 || part.RawBytes < 0 || part.Sha256.Length != 64 || !part.Sha256.All(char.IsAsciiHexDigitLower)
                    || part.Member != ArchiveFormat.PlainName(part.Member) || !part.Member.StartsWith(ExtraNames.Folder(extra.Kind), StringComparison.Ordinal) || !parts.Add(part.Member))
                {
                    throw Damaged(Location, $"its contents describe an impossible part of {Shown(extra.ToString())}");
                }

                if (part.RawBytes / ArchiveFormat.MaxExpansion > Member(part.Member).Length + 64)
                {
                    throw Damaged(Location, $"{part.Member} would expand beyond anything real");
                }
            }

            if (extra.Items != extra.Parts.Aggregate(0L, (sum, p) => checked(sum + p.Items)))
            {
                throw Damaged(Location, $"the parts of {Shown(extra.ToString())} do not sum to it");
            }
        }

        if (!contents.Extras.Where(e => e.Missing is null).Select(e => new ExtraInfo(e.Kind, e.Name, e.Items)).SequenceEqual(Manifest.Extras))
        {
            throw Damaged(Location, "its contents and its manifest tell of different things beside the database");
        }

        foreach (var kind in Enum.GetValues<ExtraKind>())
        {
            if (members.Keys.FirstOrDefault(m => m.StartsWith(ExtraNames.Folder(kind), StringComparison.Ordinal) && !parts.Contains(m)) is { } stray)
            {
                throw Damaged(Location, $"its contents do not say what {stray} is");
            }
        }
    }

    private static async Task ReadExactlyAsync(IArchiveInput input, long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (buffer.Length > 0)
        {
            var n = await input.ReadAtAsync(offset, buffer, cancellationToken).ConfigureAwait(false);
            if (n == 0)
            {
                throw Damaged(input.Location, "it ends before it should");
            }

            offset += n;
            buffer = buffer[n..];
        }
    }

    /// <summary>Decrypts from the first read on: finding the session key may take a program of its own.</summary>
    private sealed class PlainStream(Stream stored, IMemberOpener opener, string member) : ForwardStream
    {
        private Stream? plain;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            plain ??= await opener.OpenAsync(stored, member, cancellationToken).ConfigureAwait(false);
            return await plain.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                plain?.Dispose();
                stored.Dispose();
            }

            base.Dispose(disposing);
        }
    }

    private sealed class MemberStream(ArchiveReader archive, MemberInfo member) : ForwardStream
    {
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly Stream range = archive.input.OpenRange(member.Offset, member.Length);
        private long at;
        private bool checkedEnd;

        public override long Length => member.Length;

        public override long Position { get => at; set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var want = (int)Math.Min(buffer.Length, member.Length - at);
            if (want == 0)
            {
                if (at == member.Length)
                {
                    CheckEnd();
                }

                return 0;
            }

            var n = await range.ReadAsync(buffer[..want], cancellationToken).ConfigureAwait(false);
            if (n == 0)
            {
                throw Damaged(archive.Location, "it ends before it should");
            }

            hash.AppendData(buffer.Span[..n]);
            at += n;
            if (at == member.Length)
            {
                CheckEnd();
            }

            return n;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                range.Dispose();
                hash.Dispose();
            }

            base.Dispose(disposing);
        }

        private void CheckEnd()
        {
            if (!checkedEnd && Convert.ToHexStringLower(hash.GetHashAndReset()) != member.Sha256)
            {
                throw Damaged(archive.Location, $"the bytes of {member.Name} do not have the SHA-256 that the manifest gives");
            }

            checkedEnd = true;
        }
    }
}
