using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.TestServers;

namespace MoltBeat.DR.Engine.Tests.Storage;

/// <summary>The suite of all stores, for a bucket of a real S3.</summary>
public sealed class BucketContractTests(CephFixture ceph) : StoreContractTests, IDisposable
{
    private TestBucket? _bucket;

    public void Dispose() => _bucket?.Dispose();

    protected override async Task<IBackupStore> OpenStoreAsync()
    {
        _bucket = await ceph.CreateBucketAsync();
        return new S3Store(_bucket.Store("some/prefix"), new Listener(), new TailCache(null));
    }

    protected override async Task<List<string>> LeftoversAsync(IBackupStore store) =>
        [.. (await new S3Uploads(_bucket!.Client, store.Settings).ListAsync("", Cancel)).Select(u => u.Key)];
}
