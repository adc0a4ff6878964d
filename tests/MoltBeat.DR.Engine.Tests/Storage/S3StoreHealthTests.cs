using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Storage;

public class S3StoreHealthTests(CephFixture ceph)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_private_bucket_is_reachable_and_writable_and_keeps_nothing()
    {
        using var bucket = await ceph.CreateBucketAsync();
        var result = await CheckAsync(bucket.Store("a/b"));
        Assert.All(new[] { "Reachable", "Writable", "PolicyNotPublic", "AclNotPublic", "LifecycleExpiry", "Leftovers" }, n => Is(result, n, HealthStatus.Passed));
        Is(result, "Versioning", HealthStatus.Failed);
        Is(result, "UnfinishedUploadRule", HealthStatus.Failed);

        // What this provider cannot say.
        Assert.All(new[] { "PublicAccessBlock", "DefaultEncryption", "Replication" }, n => Is(result, n, HealthStatus.Unknown));
        Assert.Empty((await bucket.Client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket.Name }, Cancel)).S3Objects ?? []);
        Assert.All(result.Failed, c => Assert.NotNull(c.Remedy));
    }

    [Fact]
    public async Task Versioning_that_is_on_passes_and_the_probe_leaves_no_version()
    {
        using var bucket = await ceph.CreateBucketAsync();
        await VersioningAsync(bucket, VersionStatus.Enabled);
        Is(await CheckAsync(bucket.Store()), "Versioning", HealthStatus.Passed);
        Assert.Empty((await bucket.Client.ListVersionsAsync(bucket.Name, Cancel)).Versions ?? []);
        await VersioningAsync(bucket, VersionStatus.Suspended);
        Is(await CheckAsync(bucket.Store()), "Versioning", HealthStatus.Failed);
    }

    [Theory]
    [InlineData("public-read", "READ to AllUsers")]
    [InlineData("authenticated-read", "READ to AuthenticatedUsers")]
    public async Task A_bucket_that_its_acl_makes_public_fails(string acl, string told)
    {
        using var bucket = await ceph.CreateBucketAsync();
        await bucket.Client.PutBucketAclAsync(new PutBucketAclRequest { BucketName = bucket.Name, ACL = acl }, Cancel);
        Assert.Contains(told, Is(await CheckAsync(bucket.Store()), "AclNotPublic", HealthStatus.Failed).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bucket_that_its_policy_makes_public_fails()
    {
        using var bucket = await ceph.CreateBucketAsync();
        await bucket.Client.PutBucketPolicyAsync(bucket.Name, $$"""
            { "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{{bucket.Name}}/*" }] }
            """, Cancel);
        Is(await CheckAsync(bucket.Store()), "PolicyNotPublic", HealthStatus.Failed);
    }

    [Theory]
    [InlineData("", 30, 400, HealthStatus.Failed)]
    [InlineData("daily/", 30, 400, HealthStatus.Failed)]
    [InlineData("daily/app", 30, 400, HealthStatus.Failed)]
    [InlineData("other/", 30, 400, HealthStatus.Passed)]
    [InlineData("", 401, 400, HealthStatus.Passed)]
    [InlineData("", 30, 0, HealthStatus.Unknown)]
    public async Task A_rule_that_removes_backups_before_their_time_fails(string prefix, int days, int keepDays, HealthStatus expected)
    {
        using var bucket = await ceph.CreateBucketAsync();
        await RuleAsync(bucket, new LifecycleRule { Filter = new LifecycleFilter { LifecycleFilterPredicate = new LifecyclePrefixPredicate { Prefix = prefix } }, Expiration = new LifecycleRuleExpiration { Days = days } });
        Is(await CheckAsync(bucket.Store("daily"), keepDays), "LifecycleExpiry", expected);
    }

    [Theory]
    [InlineData("", HealthStatus.Passed)]
    [InlineData("other/", HealthStatus.Failed)]
    public async Task A_rule_for_unfinished_uploads_is_wanted(string prefix, HealthStatus expected)
    {
        using var bucket = await ceph.CreateBucketAsync();
        await RuleAsync(bucket, new LifecycleRule
        {
            Filter = new LifecycleFilter { LifecycleFilterPredicate = new LifecyclePrefixPredicate { Prefix = prefix } },
            AbortIncompleteMultipartUpload = new LifecycleRuleAbortIncompleteMultipartUpload { DaysAfterInitiation = 3 },
        });
        Is(await CheckAsync(bucket.Store("daily")), "UnfinishedUploadRule", expected);
    }

    [Theory]
    [InlineData("policyStatus", "PolicyNotPublic")]
    [InlineData("acl", "AclNotPublic")]
    [InlineData("publicAccessBlock", "PublicAccessBlock")]
    [InlineData("versioning", "Versioning")]
    [InlineData("encryption", "DefaultEncryption")]
    [InlineData("lifecycle", "LifecycleExpiry")]
    [InlineData("replication", "Replication")]
    [InlineData("uploads", "Leftovers")]
    public async Task What_the_provider_does_not_say_is_unknown_with_its_words(string question, string check)
    {
        using var bucket = await ceph.CreateBucketAsync();
        await using var proxy = FaultProxy.Start(bucket.Gateway.Address);
        foreach (var (status, code) in new[] { (501, "NotImplemented"), (403, "AccessDenied") })
        {
            proxy.Clear();
            proxy.Add(new Fault { Method = "GET", Contains = "?" + question, Times = int.MaxValue, Answer = new FaultAnswer(status, code) });
            Assert.Contains(code, Is(await CheckAsync(bucket.Store(through: proxy.Address)), check, HealthStatus.Unknown).Detail, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("encryption", "ServerSideEncryptionConfigurationNotFoundError", "DefaultEncryption")]
    [InlineData("replication", "ReplicationConfigurationNotFoundError", "Replication")]
    public async Task What_the_provider_says_is_not_there_fails(string question, string code, string check)
    {
        using var bucket = await ceph.CreateBucketAsync();
        await using var proxy = FaultProxy.Start(bucket.Gateway.Address);
        proxy.Add(new Fault { Method = "GET", Contains = "?" + question, Answer = new FaultAnswer(404, code) });
        Is(await CheckAsync(bucket.Store(through: proxy.Address)), check, HealthStatus.Failed);
    }

    [Theory]
    [InlineData("COMPLETED", HealthStatus.Passed)]
    [InlineData("FAILED", HealthStatus.Failed)]
    [InlineData("PENDING", HealthStatus.Unknown)]
    [InlineData(null, HealthStatus.Unknown)]
    public async Task Replication_is_as_the_newest_backup_has_fared(string? status, HealthStatus expected)
    {
        using var bucket = await ceph.CreateBucketAsync();
        await bucket.Client.PutObjectAsync(new PutObjectRequest { BucketName = bucket.Name, Key = "app.tar", ContentBody = "x" }, Cancel);
        await using var proxy = FaultProxy.Start(bucket.Gateway.Address);
        proxy.Add(new Fault
        {
            Method = "GET",
            Contains = "?replication",
            Answer = new FaultAnswer(200) { Body = "<ReplicationConfiguration><Role>r</Role><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Destination><Bucket>arn:aws:s3:::far</Bucket></Destination></Rule></ReplicationConfiguration>" },
        });
        proxy.Add(new Fault { Method = "HEAD", Contains = "app.tar", Answer = new FaultAnswer(200, null, "", status is null ? [] : ["x-amz-replication-status: " + status]) });
        Is(await CheckAsync(bucket.Store(through: proxy.Address)), "Replication", expected);
    }

    [Fact]
    public async Task A_bucket_that_is_not_there_is_the_only_failure()
    {
        using var bucket = await ceph.CreateBucketAsync();
        var result = await CheckAsync(StoreSettings.Parse(bucket.StoreUri().Replace(bucket.Name, "no-such-bucket", StringComparison.Ordinal)));
        Assert.Contains("no-such-bucket", Assert.Single(result.Failed).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unfinished_uploads_of_archives_are_found_and_removed_when_they_are_old()
    {
        using var bucket = await ceph.CreateBucketAsync();
        foreach (var key in new[] { "daily/app_backup_1.tar", "daily/other.bin", "app_backup_2.tar" })
        {
            var upload = await bucket.Client.InitiateMultipartUploadAsync(bucket.Name, key, Cancel);
            await bucket.Client.UploadPartAsync(new UploadPartRequest { BucketName = bucket.Name, Key = key, UploadId = upload.UploadId, PartNumber = 1, InputStream = new MemoryStream(new byte[1000]) }, Cancel);
        }

        var store = bucket.Store("daily");
        var result = await CheckAsync(store);
        var young = Assert.Single(result.Leftovers);
        Assert.Equal((LeftoverKind.UnfinishedUpload, "app_backup_1.tar", 1000L, false), (young.Kind, young.Name, young.Size, young.IsStale));
        Is(result, "Leftovers", HealthStatus.Passed);
        Assert.DoesNotContain((await StoreHealth.Of(store).RepairAsync(result, [young], Cancel)).Leftovers, l => l.Removed);

        var leftovers = new S3Leftovers(bucket.Client, store);
        var old = Assert.Single(await leftovers.ListAsync(DateTimeOffset.UtcNow.AddDays(2), Cancel));
        Assert.True(old.IsStale);
        Assert.True(await leftovers.RemoveAsync(old, Cancel));
        Assert.False(await leftovers.RemoveAsync(old, Cancel));
        Assert.Equal(2, (await bucket.Client.ListMultipartUploadsAsync(bucket.Name, Cancel)).MultipartUploads.Count);
    }

    private static Task<StoreHealthResult> CheckAsync(StoreSettings store, int keepDays = 0) => StoreHealth.Of(store).CheckAsync(
        new StoreHealthOptions { LongestRetention = keepDays > 0 ? TimeSpan.FromDays(keepDays) : null }, Cancel);

    private static HealthCheck Is(StoreHealthResult result, string name, HealthStatus status)
    {
        var check = Assert.Single(result.Checks, c => c.Name == name);
        Assert.True(check.Status == status, $"{check}: {check.Detail}");
        return check;
    }

    private static Task VersioningAsync(TestBucket bucket, VersionStatus status) => bucket.Client.PutBucketVersioningAsync(
        new PutBucketVersioningRequest { BucketName = bucket.Name, VersioningConfig = new S3BucketVersioningConfig { Status = status } }, Cancel);

    private static Task RuleAsync(TestBucket bucket, LifecycleRule rule)
    {
        rule.Id = "rule";
        rule.Status = LifecycleRuleStatus.Enabled;
        return bucket.Client.PutLifecycleConfigurationAsync(
            new PutLifecycleConfigurationRequest { BucketName = bucket.Name, Configuration = new LifecycleConfiguration { Rules = [rule] } }, Cancel);
    }
}
