using System.Security.Cryptography;
using System.Text.Json;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// Writes the members of one archive, one after another, from whichever task has one ready: a member is never interleaved
/// with another. Keeps offset, length and SHA-256 of each for the manifest. With a seal every member is encrypted on the
/// way, but for those that <see cref="ArchiveFormat.StaysOpen"/>.
/// </summary>
public sealed class ArchiveWriter : IAsyncDisposable
{
    private readonly IArchiveOutput output;
    private readonly DateTimeOffset created;
    private readonly IMemberSeal? seal;
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly List<MemberInfo> members = [];

    /// <param name="output">Where to; owned by the writer from here on.</param>
    /// <param name="created">The modification time that all members get.</param>
    /// <param name="seal">Encrypts members; null to leave all as they are.</param>
    public ArchiveWriter(IArchiveOutput output, DateTimeOffset created, IMemberSeal? seal = null)
    {
        this.output = output;
        this.created = created;
        this.seal = seal;
    }

    /// <summary>Whether members are encrypted.</summary>
    public bool Encrypts => seal is not null;

    /// <summary>zstd's level for members that are compressed as they are written.</summary>
    public int CompressionLevel { get; init; } = 3;

    /// <summary>Bytes in the archive so far.</summary>
    public long Position => output.Position;

    /// <summary>Adds a member whose content is all there.</summary>
    public async Task AddAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken, bool executable = false)
    {
        using var buffer = NewBuffer(name);
        buffer.Write(content.Span);
        await AddAsync(buffer, cancellationToken, executable).ConfigureAwait(false);
    }

    /// <summary>Begins a member that is gathered in memory, encrypted as it comes; it is in the archive once it has been added.</summary>
    public MemberBuffer NewBuffer(string name) => new(StoredName(name), CipherFor(name));

    /// <summary>Adds a member that was gathered in memory.</summary>
    public async Task AddAsync(MemberBuffer content, CancellationToken cancellationToken, bool executable = false)
    {
        content.Complete();
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await output.AppendAsync(TarHeader.Build(content.Name, content.Length, created, executable), cancellationToken).ConfigureAwait(false);
            var offset = output.Position;
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var piece in content.Pieces())
            {
                hash.AppendData(piece.Span);
                await output.AppendAsync(piece, cancellationToken).ConfigureAwait(false);
            }

            await EndAsync(content.Name, offset, content.Length, hash, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>
    /// Opens a member whose length is not known yet. No other member can be written until
    /// <see cref="OpenMember.CompleteAsync"/>; after a failure the archive must be given up.
    /// </summary>
    public Task<OpenMember> OpenAsync(string name, CancellationToken cancellationToken) => OpenAsync(NewBuffer(name), cancellationToken);

    /// <summary>Goes on with a member that has grown too large for memory: what it holds is written, and what comes is not gathered any more.</summary>
    public async Task<OpenMember> OpenAsync(MemberBuffer content, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var headerAt = output.Position;
            await output.AppendOpenAsync(TarHeader.Build(content.Name, 0, created), cancellationToken).ConfigureAwait(false);
            return new OpenMember(this, content, headerAt);
        }
        catch
        {
            gate.Release();
            throw;
        }
    }

    /// <summary>Writes manifest, its signature, index and the tar's end, and publishes the archive.</summary>
    /// <param name="describe">Makes the manifest from the members written.</param>
    /// <param name="cancellationToken">Until the publication begins.</param>
    /// <param name="signer">Signs the manifest; null for an archive without a signature.</param>
    public async Task<Manifest> CompleteAsync(Func<IReadOnlyList<MemberInfo>, Manifest> describe, CancellationToken cancellationToken, IManifestSigner? signer = null)
    {
        var manifest = describe(members.ToArray());
        var json = JsonSerializer.SerializeToUtf8Bytes(manifest, ArchiveJson.Default.Manifest);
        await AddAsync(ArchiveFormat.Manifest, json, cancellationToken).ConfigureAwait(false);
        var at = members[^1];
        var index = new ArchiveIndex(at.Offset, at.Length, 0, 0, at.Sha256);
        if (signer is not null)
        {
            await AddAsync(ArchiveFormat.Signature, await signer.SignAsync(json, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            index = index with { SignatureOffset = members[^1].Offset, SignatureLength = members[^1].Length };
        }

        await AddAsync(ArchiveFormat.Index, index.ToBytes(), cancellationToken).ConfigureAwait(false);
        await output.AppendAsync(new byte[2 * TarHeader.BlockBytes], cancellationToken).ConfigureAwait(false);
        await output.CommitAsync(cancellationToken).ConfigureAwait(false);
        return manifest;
    }

    public async ValueTask DisposeAsync()
    {
        await output.DisposeAsync().ConfigureAwait(false);
        gate.Dispose();
    }

    private string StoredName(string name) => Encrypts && !ArchiveFormat.StaysOpen(name) ? name + ArchiveFormat.EncryptedExtension : name;

    private IMemberCipher? CipherFor(string name) => ArchiveFormat.StaysOpen(name) ? null : seal?.Begin();

    private async Task EndAsync(string name, long offset, long length, IncrementalHash hash, CancellationToken cancellationToken)
    {
        members.Add(new MemberInfo(name, offset, length, Convert.ToHexStringLower(hash.GetCurrentHash())));
        if (TarHeader.Padding(length) is > 0 and var padding)
        {
            await output.AppendAsync(new byte[padding], cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A member that is being written.</summary>
    public sealed class OpenMember : IDisposable
    {
        private readonly ArchiveWriter writer;
        private readonly MemberBuffer buffer;
        private readonly long headerAt;
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private long length;

        internal OpenMember(ArchiveWriter writer, MemberBuffer buffer, long headerAt)
        {
            this.writer = writer;
            this.buffer = buffer;
            this.headerAt = headerAt;
        }

        public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            buffer.Write(bytes.Span);
            await FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        /// <summary>Writes what its buffer has gathered.</summary>
        public async ValueTask FlushAsync(CancellationToken cancellationToken)
        {
            foreach (var piece in buffer.Pieces())
            {
                hash.AppendData(piece.Span);
                await writer.output.AppendAsync(piece, cancellationToken).ConfigureAwait(false);
                length += piece.Length;
            }

            buffer.Clear();
        }

        public async Task CompleteAsync(CancellationToken cancellationToken)
        {
            buffer.Complete();
            await FlushAsync(cancellationToken).ConfigureAwait(false);
            await writer.EndAsync(buffer.Name, headerAt + TarHeader.BlockBytes, length, hash, cancellationToken).ConfigureAwait(false);
            await writer.output.PatchAsync(headerAt, TarHeader.Build(buffer.Name, length, writer.created), cancellationToken).ConfigureAwait(false);
        }

        public void Dispose()
        {
            hash.Dispose();
            buffer.Dispose();
            writer.gate.Release();
        }
    }
}
