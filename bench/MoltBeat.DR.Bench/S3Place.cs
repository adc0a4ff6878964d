using MoltBeat.TestServers;

namespace MoltBeat.DR.Bench;

/// <summary>A throwaway S3 of this machine, a Ceph gateway that keeps everything in memory: neither a network nor a disk is in the way.</summary>
internal sealed class S3Place : IAsyncDisposable
{
    private readonly CephGateway _gateway;
    private readonly TestBucket _bucket;

    private S3Place(CephGateway gateway, TestBucket bucket) => (_gateway, _bucket) = (gateway, bucket);

    /// <summary>The process that the gateway and its store descend from.</summary>
    public int Pid => _gateway.ProcessId;

    public static async Task<S3Place> StartAsync(CancellationToken cancellationToken)
    {
        CephGateway gateway;
        try
        {
            gateway = await CephGateway.StartAsync(cancel: cancellationToken);
        }
        catch (Exception e) when (e is TestServerMissingException or TestServerException)
        {
            throw new BenchException(e.Message);
        }

        try
        {
            gateway.ExportCredentials();
            return new S3Place(gateway, await gateway.CreateBucketAsync("bench", cancel: cancellationToken));
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>A prefix of the bucket, as New-MoltBackup takes it.</summary>
    public string Uri(string prefix) => _bucket.StoreUri(prefix);

    /// <summary>One archive, as Restore-MoltBackup takes it.</summary>
    public string Uri(string prefix, string archive) => Uri(prefix).Replace("?", $"/{archive}?", StringComparison.Ordinal);

    public async Task RemoveAsync(string prefix, CancellationToken cancellationToken)
    {
        foreach (var key in (await _bucket.Client.ListObjectsV2Async(new() { BucketName = _bucket.Name, Prefix = prefix + "/" }, cancellationToken)).S3Objects ?? [])
        {
            await _bucket.Client.DeleteObjectAsync(_bucket.Name, key.Key, cancellationToken);
        }
    }

    public ValueTask DisposeAsync()
    {
        _bucket.Dispose();
        return _gateway.DisposeAsync();
    }
}
