using Amazon.S3;

namespace MoltBeat.TestServers;

/// <summary>A bucket of a <see cref="CephGateway"/>, with a client of its own.</summary>
public sealed class TestBucket : IDisposable
{
    internal TestBucket(CephGateway gateway, string name)
    {
        Gateway = gateway;
        Name = name;
        Client = gateway.CreateClient();
    }

    public CephGateway Gateway { get; }

    public string Name { get; }

    /// <summary>A client that goes straight to the gateway.</summary>
    public AmazonS3Client Client { get; }

    /// <summary>The bucket as a store's URI, endpoint and region included.</summary>
    /// <param name="prefix">A prefix in it, without slashes around it.</param>
    /// <param name="through">The address of a <see cref="FaultProxy"/> before the gateway.</param>
    /// <param name="settings">Further settings, such as <c>storageClass=STANDARD_IA</c>.</param>
    public string StoreUri(string prefix = "", Uri? through = null, string? settings = null) =>
        $"s3://{Name}{(prefix.Length > 0 ? "/" + prefix : "")}?endpoint={Uri.EscapeDataString((through ?? Gateway.Address).OriginalString)}"
        + $"&region={Gateway.Region}{(settings is null ? "" : "&" + settings)}";

    public void Dispose() => Client.Dispose();
}
