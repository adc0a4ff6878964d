using Amazon.S3.Model;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Storage;

/// <summary>A region that encrypts with keys of its own; they stand in its configuration.</summary>
public sealed class EncryptingGateway : IAsyncDisposable
{
    private readonly Lazy<Task<CephGateway>> _gateway = new(() => CephGateway.StartAsync(new CephOptions { KmsKeys = ["backups", "others"], Encryption = true }));

    public Task<CephGateway> GatewayAsync() => PostgresFixture.OrSkipAsync(() => _gateway.Value);

    public async ValueTask DisposeAsync()
    {
        if (_gateway.IsValueCreated && _gateway.Value.IsCompletedSuccessfully)
        {
            await (await _gateway.Value).DisposeAsync();
        }
    }
}

/// <summary>How objects are kept: encrypted by the service, whether they went in one piece or in parts.</summary>
public sealed class KeepingTests(EncryptingGateway encrypting, CephFixture ceph) : IClassFixture<EncryptingGateway>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1000)]
    [InlineData(20 << 20)]
    public async Task A_key_of_the_service_encrypts_what_is_written_and_only_what_names_it(int length)
    {
        // The credentials in the environment are the same for all gateways.
        _ = await ceph.GatewayAsync();
        using var bucket = await (await encrypting.GatewayAsync()).CreateBucketAsync(cancel: Cancel);
        var content = new byte[length];
        Random.Shared.NextBytes(content);
        using var store = Open(bucket.Store("daily", settings: "kmsKey=backups"));
        await WriteAsync(store, "x.tar", content);
        await store.PutRecordAsync("x.tar", "r.json", "{}"u8.ToArray(), Cancel);
        foreach (var key in new[] { "daily/x.tar", "daily/x.tar.records/r.json" })
        {
            var head = await bucket.Client.GetObjectMetadataAsync(bucket.Name, key, Cancel);
            Assert.Equal(("aws:kms", "backups"), (head.ServerSideEncryptionMethod?.Value, head.ServerSideEncryptionKeyManagementServiceKeyId));
        }

        Assert.Equal(content, await ReadAsync(store, "x.tar"));

        // Made by the service itself, and encrypted anew.
        using var other = Open(bucket.Store("weekly", settings: "kmsKey=others"));
        Assert.True(await other.TryCopyFromAsync(store, await store.FindAsync("x.tar", Cancel), new NewArchive(DateTimeOffset.UtcNow, length), Cancel));
        Assert.Equal("others", (await bucket.Client.GetObjectMetadataAsync(bucket.Name, "weekly/x.tar", Cancel)).ServerSideEncryptionKeyManagementServiceKeyId);
        Assert.Equal(content, await ReadAsync(other, "x.tar"));
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(20 << 20)]
    public async Task A_key_that_is_not_there_is_an_error_that_names_the_store(int length)
    {
        _ = await ceph.GatewayAsync();
        using var bucket = await (await encrypting.GatewayAsync()).CreateBucketAsync(cancel: Cancel);
        using var store = Open(bucket.Store(settings: "kmsKey=nothing"));
        var e = await Assert.ThrowsAsync<MoltException>(() => WriteAsync(store, "x.tar", new byte[length]));
        Assert.Contains(bucket.Name, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Remedy);
        Assert.Empty((await bucket.Client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket.Name }, Cancel)).S3Objects ?? []);
        Assert.Empty((await bucket.Client.ListMultipartUploadsAsync(bucket.Name, Cancel)).MultipartUploads ?? []);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(20 << 20)]
    public async Task The_services_own_encryption_is_asked_for(int length)
    {
        _ = await ceph.GatewayAsync();
        using var bucket = await (await encrypting.GatewayAsync()).CreateBucketAsync(cancel: Cancel);
        var content = new byte[length];
        Random.Shared.NextBytes(content);
        using var store = Open(bucket.Store(settings: "encryption=AES256"));
        await WriteAsync(store, "x.tar", content);
        Assert.Equal(content, await ReadAsync(store, "x.tar"));
    }

    private static S3Store Open(StoreSettings settings) => new(settings, new Listener(), new TailCache(null));

    private static async Task WriteAsync(S3Store store, string name, byte[] content)
    {
        await using var output = await store.CreateAsync(name, new NewArchive(DateTimeOffset.UtcNow, 0), Cancel);
        await output.AppendAsync(content, Cancel);
        await output.CommitAsync(Cancel);
    }

    private static async Task<byte[]> ReadAsync(S3Store store, string name)
    {
        await using var input = await store.OpenAsync(await store.FindAsync(name, Cancel), manifestOnly: false, Cancel);
        await using var whole = input.OpenRange(0, input.Length);
        using var read = new MemoryStream();
        await whole.CopyToAsync(read, Cancel);
        return read.ToArray();
    }
}
