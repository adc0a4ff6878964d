using System.Security.Cryptography;

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

    /// <summary>Keys that <c>x-amz-server-side-encryption: aws:kms</c> may name; for tests, they stand in the gateway's configuration.</summary>
    public IReadOnlyList<string> KmsKeys { get; init; } = [];

    /// <summary>Roles can be assumed (STS); <c>radosgw-admin role create</c> makes them.</summary>
    public bool Roles { get; init; }

    /// <summary>It speaks HTTPS, with a certificate for <c>localhost</c> of <see cref="CephGateway.Tls"/>.</summary>
    public bool Tls { get; init; }

    /// <summary>The gateway's lines for ceph.conf.</summary>
    internal IEnumerable<string> Configuration(int port, PostgresTls? tls)
    {
        yield return tls is null ? $"rgw frontends = beast endpoint=127.0.0.1:{port}"
            : $"rgw frontends = beast ssl_endpoint=127.0.0.1:{port} ssl_certificate={tls.ServerCertificate} ssl_private_key={tls.ServerKey}";
        yield return Roles ? "rgw enable apis = s3, sts, admin" : "rgw enable apis = s3, admin";
        if (Roles)
        {
            yield return $"rgw sts key = {Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}";
            yield return "rgw s3 auth use sts = true";
        }

        if (Encryption)
            yield return $"rgw crypt default encryption key = {NewKey()}";
        if (KmsKeys.Count > 0)
        {
            yield return "rgw crypt s3 kms backend = testing";
            yield return $"rgw crypt s3 kms encryption keys = {string.Join(' ', KmsKeys.Select(k => $"{k}={NewKey()}"))}";
        }

        if (Encryption || KmsKeys.Count > 0)
            yield return "rgw crypt require ssl = false";
    }

    private static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
}
