using System.Security.Cryptography;
using System.Text.Json;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// Writes the members of one archive, one after another, from whichever task has one ready: a member is never interleaved
/// with another. Keeps offset, length and SHA-256 of each for the manifest.
/// </summary>
public sealed class ArchiveWriter : IAsyncDisposable
{
    private readonly IArchiveOutput output;
    private readonly DateTimeOffset created;
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly List<MemberInfo> members = [];

    /// <param name="output">Where to; owned by the writer from here on.</param>
    /// <param name="created">The modification time that all members get.</param>
    public ArchiveWriter(IArchiveOutput output, DateTimeOffset created)
    {
        this.output = output;
        this.created = created;
    }

    /// <summary>Whether members are encrypted; then all but those that the format leaves open are.</summary>
    public bool Encrypts { get; internal init; }

    /// <summary>zstd's level for members that are compressed as they are written.</summary>
    public int CompressionLevel { get; init; } = 3;

    /// <summary>Bytes in the archive so far.</summary>
    public long Position => output.Position;

    /// <summary>Adds a member whose content is all there.</summary>
    public async Task AddAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken, bool executable = false)
    {
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await WriteWholeAsync(name, content.Length, [content], executable, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Adds a member whose content was gathered in memory.</summary>
    public async Task AddAsync(string name, ChunkBuffer content, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await WriteWholeAsync(name, content.Length, content.Pieces(), executable: false, cancellationToken).ConfigureAwait(false);
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
    public async Task<OpenMember> OpenAsync(string name, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var headerAt = output.Position;
            await output.AppendOpenAsync(TarHeader.Build(name, 0, created), cancellationToken).ConfigureAwait(false);
            return new OpenMember(this, name, headerAt);
        }
        catch
        {
            gate.Release();
            throw;
        }
    }

    /// <summary>Writes manifest, index and the tar's end, and publishes the archive.</summary>
    /// <param name="describe">Makes the manifest from the members written.</param>
    /// <param name="cancellationToken">Until the publication begins.</param>
    public async Task<Manifest> CompleteAsync(Func<IReadOnlyList<MemberInfo>, Manifest> describe, CancellationToken cancellationToken)
    {
        var manifest = describe(members.ToArray());
        var json = JsonSerializer.SerializeToUtf8Bytes(manifest, ArchiveJson.Default.Manifest);
        await AddAsync(ArchiveFormat.Manifest, json, cancellationToken).ConfigureAwait(false);
        var at = members[^1];
        var index = new ArchiveIndex(at.Offset, at.Length, 0, 0, at.Sha256);
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

    private async Task WriteWholeAsync(string name, long length, IEnumerable<ReadOnlyMemory<byte>> pieces, bool executable, CancellationToken cancellationToken)
    {
        await output.AppendAsync(TarHeader.Build(name, length, created, executable), cancellationToken).ConfigureAwait(false);
        var offset = output.Position;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var piece in pieces)
        {
            hash.AppendData(piece.Span);
            await output.AppendAsync(piece, cancellationToken).ConfigureAwait(false);
        }

        await EndAsync(name, offset, length, hash, cancellationToken).ConfigureAwait(false);
    }

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
        private readonly string name;
        private readonly long headerAt;
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private long length;

        internal OpenMember(ArchiveWriter writer, string name, long headerAt)
        {
            this.writer = writer;
            this.name = name;
            this.headerAt = headerAt;
        }

        public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            hash.AppendData(bytes.Span);
            await writer.output.AppendAsync(bytes, cancellationToken).ConfigureAwait(false);
            length += bytes.Length;
        }

        public async Task CompleteAsync(CancellationToken cancellationToken)
        {
            await writer.EndAsync(name, headerAt + TarHeader.BlockBytes, length, hash, cancellationToken).ConfigureAwait(false);
            await writer.output.PatchAsync(headerAt, TarHeader.Build(name, length, writer.created), cancellationToken).ConfigureAwait(false);
        }

        public void Dispose()
        {
            hash.Dispose();
            writer.gate.Release();
        }
    }
}
