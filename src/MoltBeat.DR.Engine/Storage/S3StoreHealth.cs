using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>How a bucket, or the part of it under a prefix, is. What its provider cannot say is unknown.</summary>
internal sealed class S3StoreHealth(StoreSettings settings) : IStoreHealth
{
    public async Task<StoreHealthResult> CheckAsync(StoreHealthOptions options, CancellationToken cancellationToken)
    {
        var report = new HealthReport(settings, options);
        const string Reachable = "The bucket is there and can be listed.";
        AmazonS3Client client;
        try
        {
            client = S3ClientFactory.Create(settings);
        }
        catch (MoltException e)
        {
            report.Add("Reachable", Reachable, HealthFinding.Failed(e.Message, e.Remedy ?? "See the message."));
            return report.End(null, "there is no client for it");
        }

        using (client)
        {
            var reachable = await ReachAsync(client, cancellationToken).ConfigureAwait(false);
            report.Add("Reachable", Reachable, reachable);
            if (reachable.Status != HealthStatus.Passed)
            {
                return report.End(null, "the bucket cannot be listed");
            }

            DateTimeOffset? now = null;
            await report.AddAsync("Writable", "An object can be written and removed.", async () =>
            {
                (now, var finding) = await ProbeAsync(client, cancellationToken).ConfigureAwait(false);
                return finding;
            }).ConfigureAwait(false);
            var bucket = new S3BucketChecks(client, settings, cancellationToken);
            await report.AddAsync("PolicyNotPublic", "The bucket's policy lets nobody in whom it does not name.", bucket.PolicyAsync).ConfigureAwait(false);
            await report.AddAsync("AclNotPublic", "The bucket's access control list grants nothing to everybody.", bucket.AclAsync).ConfigureAwait(false);
            await report.AddAsync("PublicAccessBlock", "Nobody can make the bucket public by mistake.", bucket.PublicAccessBlockAsync).ConfigureAwait(false);
            await report.AddAsync("Versioning", "What is removed or overwritten by mistake can be brought back.", bucket.VersioningAsync).ConfigureAwait(false);
            await report.AddAsync("DefaultEncryption", "Whatever is written is encrypted at rest.", bucket.EncryptionAsync).ConfigureAwait(false);
            await report.AddAsync("LifecycleExpiry", "No rule of the bucket removes backups before their time.",
                () => bucket.LifecycleAsync(rules => S3Lifecycle.Expiry(rules, settings.Prefix, options.LongestRetention))).ConfigureAwait(false);
            await report.AddAsync("UnfinishedUploadRule", "The bucket itself removes uploads that were never finished.",
                () => bucket.LifecycleAsync(rules => S3Lifecycle.UnfinishedUploads(rules, settings.Prefix))).ConfigureAwait(false);
            await report.AddAsync("Replication", "The newest backup has been copied to another bucket by the provider.",
                () => bucket.ReplicationAsync(() => NewestAsync(client, cancellationToken))).ConfigureAwait(false);

            try
            {
                return report.End(await new S3Leftovers(client, settings).ListAsync(now ?? DateTimeOffset.UtcNow, cancellationToken).ConfigureAwait(false));
            }
            catch (Exception e) when (S3Errors.AreTheStores(e, cancellationToken))
            {
                return report.End(null, S3Errors.Text(e));
            }
        }
    }

    public async Task<StoreHealthResult> RepairAsync(StoreHealthResult found, IReadOnlyCollection<Leftover> chosen, CancellationToken cancellationToken)
    {
        using var client = S3ClientFactory.Create(settings);
        var leftovers = new S3Leftovers(client, settings);
        var removed = new List<Leftover>();
        foreach (var leftover in chosen.Where(l => l.IsStale))
        {
            if (await leftovers.RemoveAsync(leftover, cancellationToken).ConfigureAwait(false))
            {
                removed.Add(leftover);
            }
        }

        return HealthReport.After(found, removed);
    }

    private async Task<HealthFinding> ReachAsync(AmazonS3Client client, CancellationToken cancellationToken)
    {
        try
        {
            var listed = await client.ListObjectsV2Async(
                new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = settings.Prefix, MaxKeys = 1 }, cancellationToken).ConfigureAwait(false);
            return HealthFinding.Passed(listed.S3Objects is { Count: > 0 } ? "it can be listed" : "it can be listed, and holds nothing under this prefix");
        }
        catch (Exception e) when (S3Errors.AreTheStores(e, cancellationToken))
        {
            return Failed(e);
        }
    }

    /// <returns>The store's own time with what was found; null when it could not be learnt.</returns>
    private async Task<(DateTimeOffset? Now, HealthFinding Finding)> ProbeAsync(AmazonS3Client client, CancellationToken cancellationToken)
    {
        var key = settings.Prefix + StoreHealth.ProbePrefix + Guid.NewGuid().ToString("N");
        PutObjectResponse put;
        try
        {
            // Encrypted as backups are, so that a key that may not be used is found out.
            put = await client.PutObjectAsync(new PutObjectRequest
            {
                BucketName = settings.Bucket,
                Key = key,
                ContentBody = "probe",
                ServerSideEncryptionMethod = S3Keeping.Encryption(settings),
                ServerSideEncryptionKeyManagementServiceKeyId = settings.KmsKey,
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (S3Errors.AreTheStores(e, cancellationToken))
        {
            return (null, Failed(e));
        }

        DateTimeOffset? now = null;
        try
        {
            var head = await client.GetObjectMetadataAsync(settings.Bucket, key, cancellationToken).ConfigureAwait(false);
            now = head.LastModified is { } modified ? new DateTimeOffset(modified.ToUniversalTime(), TimeSpan.Zero) : null;
        }
        catch (Exception e) when (S3Errors.AreTheStores(e, cancellationToken))
        {
            // Its time is not needed to say that it was written.
        }

        try
        {
            // By its version, so that nothing at all is left of it in a bucket with versions.
            await client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = settings.Bucket, Key = key, VersionId = put.VersionId }, CancellationToken.None).ConfigureAwait(false);
            return (now, HealthFinding.Passed("a probe was written and removed"));
        }
        catch (Exception e) when (S3Errors.AreTheStores(e, CancellationToken.None))
        {
            return (now, HealthFinding.Passed($"a probe was written; this key may not remove it ({S3Errors.Text(e)}): {key}"));
        }
    }

    private HealthFinding Failed(Exception e)
        => S3Errors.Translate(e, settings, null) is { } known ? HealthFinding.Failed(known.Message, known.Remedy!) : HealthFinding.Failed(e.Message, "See the message.");

    /// <summary>The archive that was written last, by the store's clock.</summary>
    private async Task<string?> NewestAsync(AmazonS3Client client, CancellationToken cancellationToken)
    {
        S3Object? newest = null;
        var request = new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = settings.Prefix, Delimiter = "/" };
        do
        {
            var page = await client.ListObjectsV2Async(request, cancellationToken).ConfigureAwait(false);
            foreach (var item in page.S3Objects ?? [])
            {
                if (item.Key.EndsWith(ArchiveFormat.Extension, StringComparison.Ordinal) && (newest is null || item.LastModified > newest.LastModified))
                {
                    newest = item;
                }
            }

            request.ContinuationToken = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (request.ContinuationToken is not null);
        return newest?.Key;
    }
}
