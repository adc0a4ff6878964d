using System.Diagnostics;
using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Servers;

public class CephGatewayTests(CephFixture ceph)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Keeps_objects_and_gives_parts_of_them_back()
    {
        using var bucket = await ceph.CreateBucketAsync();
        await bucket.Client.PutObjectAsync(
            new PutObjectRequest { BucketName = bucket.Name, Key = "a b/ü+%.tar", InputStream = new MemoryStream([1, 2, 3, 4]), StorageClass = S3StorageClass.StandardInfrequentAccess }, Cancel);
        var head = await bucket.Client.GetObjectMetadataAsync(bucket.Name, "a b/ü+%.tar", Cancel);
        Assert.Equal((4, "STANDARD_IA"), (head.ContentLength, head.StorageClass.Value));
        using var part = await bucket.Client.GetObjectAsync(new GetObjectRequest { BucketName = bucket.Name, Key = "a b/ü+%.tar", ByteRange = new ByteRange(1, 2) }, Cancel);
        var bytes = new byte[10];
        Assert.Equal(2, await part.ResponseStream.ReadAtLeastAsync(bytes, 10, throwOnEndOfStream: false, Cancel));
        Assert.Equal([2, 3], bytes[..2]);
    }

    [Fact]
    public async Task Two_gateways_are_two_regions_with_buckets_of_their_own()
    {
        var near = await ceph.GatewayAsync();
        var far = await ceph.OtherRegionAsync();
        using var bucket = await near.CreateBucketAsync("region", cancel: Cancel);
        Assert.Equal("eu-central-1", (await bucket.Client.GetBucketLocationAsync(bucket.Name, Cancel)).Location.Value);
        using var other = await far.CreateBucketAsync("region", cancel: Cancel);
        Assert.Equal("eu-west-1", (await other.Client.GetBucketLocationAsync(other.Name, Cancel)).Location.Value);
        Assert.Equal("NoSuchBucket", (await Assert.ThrowsAsync<NoSuchBucketException>(
            () => other.Client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket.Name }, Cancel))).ErrorCode);
    }

    [Fact]
    public async Task A_wrong_secret_and_another_user_are_refused()
    {
        using var bucket = await ceph.CreateBucketAsync();
        using var wrong = bucket.Gateway.CreateClient(secretKey: "wrong");
        var refused = await Assert.ThrowsAsync<AmazonS3Exception>(() => wrong.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket.Name }, Cancel));
        Assert.Equal("SignatureDoesNotMatch", refused.ErrorCode);

        await bucket.Gateway.AdminAsync(["user", "create", "--uid=stranger", "--display-name=stranger", "--access-key=stranger", "--secret-key=strange"], Cancel);
        using var stranger = bucket.Gateway.CreateClient(accessKey: "stranger", secretKey: "strange");
        var denied = await Assert.ThrowsAsync<AmazonS3Exception>(() => stranger.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket.Name }, Cancel));
        Assert.Equal("AccessDenied", denied.ErrorCode);
    }

    [Fact]
    public async Task Encryption_is_taken_when_it_is_asked_for()
    {
        await using var gateway = await PostgresFixture.OrSkipAsync(() => CephGateway.StartAsync(new CephOptions { Encryption = true }, Cancel));
        using var bucket = await gateway.CreateBucketAsync(cancel: Cancel);
        await bucket.Client.PutObjectAsync(
            new PutObjectRequest { BucketName = bucket.Name, Key = "k", ContentBody = "text", ServerSideEncryptionMethod = ServerSideEncryptionMethod.AES256 }, Cancel);
        using var back = await bucket.Client.GetObjectAsync(bucket.Name, "k", Cancel);
        using var reader = new StreamReader(back.ResponseStream);
        Assert.Equal("text", await reader.ReadToEndAsync(Cancel));
    }

    [Fact]
    public async Task Its_daemons_end_with_it()
    {
        var gateway = await PostgresFixture.OrSkipAsync(() => CephGateway.StartAsync(cancel: Cancel));
        var conf = Daemons(gateway);
        Assert.Equal(3, conf.Count);
        await gateway.DisposeAsync();
        Assert.All(conf, id => Assert.False(Alive(id)));
    }

    /// <summary>The processes whose command line names this gateway's configuration.</summary>
    private static List<int> Daemons(CephGateway gateway) =>
    [
        .. from process in Process.GetProcesses()
           let line = CommandLine(process.Id)
           where line.Contains(gateway.ConfigurationFile, StringComparison.Ordinal)
           select process.Id,
    ];

    private static bool Alive(int id) => CommandLine(id).Contains("ceph.conf", StringComparison.Ordinal);

    private static string CommandLine(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
