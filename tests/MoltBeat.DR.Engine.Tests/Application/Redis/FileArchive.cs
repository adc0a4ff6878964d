using MoltBeat.DR.Engine.Application.Redis;
using MoltBeat.DR.Engine.Archive;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application.Redis;

/// <summary>An archive in a temporary file, for what is too large to be held in memory; knows the largest piece that was written at once.</summary>
internal sealed class FileArchive : IArchiveOutput, IArchiveInput
{
    private readonly FileStream file = new(Path.Combine(Path.GetTempPath(), "molt-" + Guid.NewGuid().ToString("N")), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);

    public int LargestPiece { get; private set; }

    public long Position => file.Length;

    public long Length => file.Length;

    public string Location => "file.tar";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async Task<ExtraContents> CaptureAsync(RedisCapture capture)
    {
        // Not disposed: that would close the file.
        var writer = new ArchiveWriter(this, DateTimeOffset.UnixEpoch);
        var extra = await capture.CaptureAsync(writer, RedisBench.Silent, Cancel);
        await RedisBench.CompleteAsync(writer);
        return extra;
    }

    public async Task<RedisRestoreResult> RestoreAsync(ExtraContents extra, RedisRestore restore)
    {
        var reader = await ArchiveReader.OpenAsync(this, Cancel);
        var item = Assert.Single(await restore.PlanAsync(reader, [extra], Cancel));
        Assert.Null(item.Problem);
        return (RedisRestoreResult)await restore.RestoreAsync(reader, item, RedisBench.Silent, Cancel);
    }

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        LargestPiece = Math.Max(LargestPiece, bytes.Length);
        file.Position = file.Length;
        await file.WriteAsync(bytes, cancellationToken);
    }

    public ValueTask AppendOpenAsync(ReadOnlyMemory<byte> header, CancellationToken cancellationToken) => AppendAsync(header, cancellationToken);

    public async ValueTask PatchAsync(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        file.Position = offset;
        await file.WriteAsync(bytes, cancellationToken);
    }

    public async Task CommitAsync(CancellationToken cancellationToken) => await file.FlushAsync(cancellationToken);

    public ValueTask<int> ReadAtAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken) => RandomAccess.ReadAsync(file.SafeFileHandle, buffer, offset, cancellationToken);

    public ValueTask DisposeAsync() => file.DisposeAsync();
}
