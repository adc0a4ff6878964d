using System.Security.Cryptography;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// A member of something beside the database while it is being written: what goes in is digested and becomes one zstd frame
/// with its checksum. Nothing of it is held in memory but the compressor's window. No other member can be written meanwhile.
/// </summary>
public sealed class ExtraWriter : Stream
{
    private readonly string member;
    private readonly MemberOutput output;
    private readonly CompressionStream compression;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long length;
    private bool ended;
    private bool disposed;

    private ExtraWriter(string member, MemberOutput output, int level)
    {
        this.member = member;
        this.output = output;
        compression = new CompressionStream(output, level, bufferSize: 1 << 17, leaveOpen: true);
        compression.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    /// <summary>Bytes so far, before compression.</summary>
    public override long Length => length;

    public override long Position { get => length; set => throw new NotSupportedException(); }

    /// <param name="archive">Where to.</param>
    /// <param name="member">From <see cref="ExtraNames.Member"/>.</param>
    /// <param name="cancellationToken">Stops the waiting for the member before.</param>
    public static async Task<ExtraWriter> OpenAsync(ArchiveWriter archive, string member, CancellationToken cancellationToken)
        => new(member, new MemberOutput(await archive.OpenAsync(member, cancellationToken).ConfigureAwait(false)), archive.CompressionLevel);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        hash.AppendData(buffer.Span);
        length += buffer.Length;
        await compression.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Flush()
    {
        // A frame that is flushed for each file of a tar would compress badly.
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Ends the member. Without it the archive must be given up.</summary>
    /// <param name="items">Items in it.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<ExtraPart> CompleteAsync(long items, CancellationToken cancellationToken)
    {
        ended = true;
        await compression.DisposeAsync().ConfigureAwait(false);
        await output.CompleteAsync(cancellationToken).ConfigureAwait(false);
        return new ExtraPart(member, items, Convert.ToHexStringLower(hash.GetCurrentHash()), length);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && !disposed)
        {
            disposed = true;
            output.GivenUp = !ended;
            compression.Dispose();
            hash.Dispose();
            output.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>The archive's open member as the stream that a compressor writes to.</summary>
    private sealed class MemberOutput(ArchiveWriter.OpenMember member) : Stream
    {
        /// <summary>The compressor ends its frame when it is disposed, and after a failure nobody wants that.</summary>
        public bool GivenUp { get; set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (!GivenUp)
            {
                await member.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
            }
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

        public Task CompleteAsync(CancellationToken cancellationToken) => member.CompleteAsync(cancellationToken);

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                member.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
