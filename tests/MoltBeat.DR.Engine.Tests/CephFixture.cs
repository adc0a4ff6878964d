using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Tests;
using MoltBeat.TestServers;
using Xunit;

[assembly: AssemblyFixture(typeof(CephFixture))]

namespace MoltBeat.DR.Engine.Tests;

/// <summary>Two S3 regions for all tests of this assembly, each started when the first test wants it; the code under test finds their key in the environment.</summary>
public sealed class CephFixture : IAsyncDisposable
{
    private readonly Lazy<Task<CephGateway>> _near = new(() => StartAsync("eu-central-1"));
    private readonly Lazy<Task<CephGateway>> _far = new(() => StartAsync("eu-west-1"));

    /// <summary>The region that most tests use. A test that changes more than its own buckets starts a gateway of its own.</summary>
    public Task<CephGateway> GatewayAsync() => PostgresFixture.OrSkipAsync(() => _near.Value);

    /// <summary>Another region, with the same key.</summary>
    public Task<CephGateway> OtherRegionAsync() => PostgresFixture.OrSkipAsync(() => _far.Value);

    /// <summary>An empty bucket of the first region, never twice the same; whoever asked for it disposes it.</summary>
    public async Task<TestBucket> CreateBucketAsync(string name = "bucket", bool objectLock = false) =>
        await (await GatewayAsync()).CreateBucketAsync(name, objectLock, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in new[] { _near, _far })
        {
            if (gateway.IsValueCreated && gateway.Value.IsCompletedSuccessfully)
                await (await gateway.Value).DisposeAsync();
        }
    }

    private static async Task<CephGateway> StartAsync(string region)
    {
        var gateway = await CephGateway.StartAsync(new CephOptions { Region = region });
        gateway.ExportCredentials();
        return gateway;
    }
}

/// <summary>A test's bucket as the engine's stores know one.</summary>
internal static class TestBucketExtensions
{
    /// <summary>A store in the bucket; the parameters are those of <see cref="TestBucket.StoreUri"/>.</summary>
    public static StoreSettings Store(this TestBucket bucket, string prefix = "", Uri? through = null, string? settings = null) =>
        StoreSettings.Parse(bucket.StoreUri(prefix, through, settings));
}
