namespace MoltBeat.TestServers;

/// <summary>How a throwaway S3 is made.</summary>
public sealed record CephOptions
{
    /// <summary>The region it says it is.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>The id of the one user's key.</summary>
    public string AccessKey { get; init; } = "testkey";

    /// <summary>The one user's secret.</summary>
    public string SecretKey { get; init; } = "testsecret";

    /// <summary>Takes <c>x-amz-server-side-encryption: AES256</c>; every object is encrypted then, and CopyObject is not implemented.</summary>
    public bool Encryption { get; init; }
}
