using Amazon.Runtime;
using Amazon.S3;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>An S3 that speaks HTTPS and lets roles be assumed.</summary>
public sealed class TlsGateway : IAsyncDisposable
{
    private readonly Lazy<Task<CephGateway>> _gateway = new(() => CephGateway.StartAsync(new CephOptions { Tls = true }));
    private readonly Lazy<Task<CephGateway>> _roles = new(() => CephGateway.StartAsync(new CephOptions { Roles = true }));

    public Task<CephGateway> GatewayAsync() => OrSkipAsync(_gateway);

    public Task<CephGateway> RolesAsync() => OrSkipAsync(_roles);

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in new[] { _gateway, _roles })
        {
            if (gateway.IsValueCreated && gateway.Value.IsCompletedSuccessfully)
            {
                await (await gateway.Value).DisposeAsync();
            }
        }
    }

    private static async Task<CephGateway> OrSkipAsync(Lazy<Task<CephGateway>> gateway)
    {
        try
        {
            return await gateway.Value;
        }
        catch (TestServerMissingException e) when (Environment.GetEnvironmentVariable("CI") is not "true")
        {
            Assert.Skip(e.Message);
            throw;
        }
    }
}

/// <summary>Where credentials and trust come from: files and variables of the machine, as a process of its own sees them.</summary>
public sealed class BucketSurroundingsTests(ServerFixture fixture, TlsGateway gateways) : IClassFixture<TlsGateway>
{
    private static readonly Dictionary<string, string?> NoCredentials = new()
    {
        ["AWS_ACCESS_KEY_ID"] = null,
        ["AWS_SECRET_ACCESS_KEY"] = null,
        ["AWS_SESSION_TOKEN"] = null,
        ["AWS_PROFILE"] = null,
        ["AWS_EC2_METADATA_DISABLED"] = "true",
    };

    private static readonly Dictionary<string, string?> Credentials = new(NoCredentials) { ["AWS_ACCESS_KEY_ID"] = "testkey", ["AWS_SECRET_ACCESS_KEY"] = "testsecret" };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_profile_of_the_configuration_files_gives_the_credentials()
    {
        var uri = await TlsBucketAsync();
        var file = fixture.NewPath("credentials");
        await File.WriteAllTextAsync(file, "[backups]\naws_access_key_id = testkey\naws_secret_access_key = testsecret\n[wrong]\naws_access_key_id = testkey\naws_secret_access_key = other\n", Cancel);
        var environment = new Dictionary<string, string?>(NoCredentials) { ["AWS_SHARED_CREDENTIALS_FILE"] = file, ["SSL_CERT_FILE"] = (await gateways.GatewayAsync()).Tls!.RootCertificate };
        Assert.Equal("made 1", await BackUpAsync(uri + "&profile=backups", environment));
        Assert.StartsWith("StoreCredentialsInvalid", await BackUpAsync(uri + "&profile=wrong", environment), StringComparison.Ordinal);
        Assert.StartsWith("StoreCredentialsMissing", await BackUpAsync(uri + "&profile=nobody", environment), StringComparison.Ordinal);
        Assert.StartsWith("StoreCredentialsMissing", await BackUpAsync(uri, NoCredentials), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_role_is_assumed_and_one_that_may_not_be_is_named()
    {
        var gateway = await gateways.RolesAsync();
        using var bucket = await gateway.CreateBucketAsync(cancel: Cancel);
        await gateway.AdminAsync(["role", "create", "--role-name=backups", "--assume-role-policy-doc={\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"arn:aws:iam:::user/test\"]},\"Action\":[\"sts:AssumeRole\"]}]}"], Cancel);
        await gateway.AdminAsync(["role-policy", "put", "--role-name=backups", "--policy-name=all", "--policy-doc={\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:*\"],\"Resource\":\"arn:aws:s3:::*\"}]}"], Cancel);
        var environment = new Dictionary<string, string?>(Credentials) { ["AWS_ENDPOINT_URL_STS"] = gateway.Address.OriginalString };
        Assert.Equal("made 1", await BackUpAsync(bucket.StoreUri(settings: "role=arn%3Aaws%3Aiam%3A%3A%3Arole%2Fbackups"), environment));
        var refused = await BackUpAsync(bucket.StoreUri(settings: "role=arn%3Aaws%3Aiam%3A%3A%3Arole%2Fnobody"), environment);
        Assert.StartsWith("StoreCredentialsInvalid", refused, StringComparison.Ordinal);
        Assert.Contains("role/nobody", refused, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_is_trusted_when_the_machine_trusts_its_authority_and_else_refused()
    {
        var (uri, tls) = (await TlsBucketAsync(), (await gateways.GatewayAsync()).Tls!);
        Assert.Equal("made 1", await BackUpAsync(uri, new Dictionary<string, string?>(Credentials) { ["SSL_CERT_FILE"] = tls.RootCertificate }));
        var refused = await BackUpAsync(uri, new Dictionary<string, string?>(Credentials) { ["SSL_CERT_FILE"] = tls.OtherRootCertificate });
        Assert.StartsWith("StoreCertificateInvalid", refused, StringComparison.Ordinal);
        Assert.Contains(uri.Split('?')[0], refused, StringComparison.Ordinal);
    }

    /// <summary>A bucket at the gateway that speaks HTTPS, as a store's URI.</summary>
    private async Task<string> TlsBucketAsync()
    {
        var gateway = await gateways.GatewayAsync();
        var name = fixture.Unique("bucket").Replace('_', '-');
        using var client = new AmazonS3Client("testkey", "testsecret", new AmazonS3Config { ServiceURL = gateway.Address.OriginalString, AuthenticationRegion = gateway.Region, ForcePathStyle = true, HttpClientFactory = new Unchecked() });
        await client.PutBucketAsync(name, Cancel);
        return $"s3://{name}?endpoint={Uri.EscapeDataString(gateway.Address.OriginalString)}&region={gateway.Region}";
    }

    /// <summary>What a backup to a place came to: how many copies were made, or the error's id and message.</summary>
    private async Task<string> BackUpAsync(string destination, IReadOnlyDictionary<string, string?> environment)
    {
        var backups = await fixture.BackupsAsync();
        var result = await MoltProcess.RunWithAsync(new Dictionary<string, string?>(environment) { ["DATABASE_URL"] = backups.ShopDatabase.Uri, ["XDG_CACHE_HOME"] = fixture.NewPath("cache") },
            "-NonInteractive", "-Command", $"try {{ $b = New-MoltBackup -Destination '{destination}' -Confirm:$false -ErrorAction Stop; \"made $($b.Locations.Count)\" }} catch {{ \"$($_.FullyQualifiedErrorId): $($_.Exception.Message)\" }}");
        return result.Output.Trim() is { Length: > 0 } told ? told : result.Error;
    }

    /// <summary>For the tests' own client, which is to trust the gateway whatever this process trusts.</summary>
    private sealed class Unchecked : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => new(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true });
    }
}
