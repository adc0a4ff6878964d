using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>
/// What a bucket's own settings say. A provider that refuses to say, does not know the question, or gives an answer without
/// content (Ceph does, to some) leaves it unknown.
/// </summary>
internal sealed class S3BucketChecks(AmazonS3Client client, StoreSettings settings, CancellationToken cancellationToken)
{
    private const string NoAnswer = "the provider's answer is empty: it does not know the question";
    private static readonly string[] Everybody = ["/AllUsers", "/AuthenticatedUsers"];
    private Task<List<LifecycleRule>?>? rules;

    public Task<HealthFinding> PolicyAsync() => AskAsync(async () =>
    {
        var answer = await client.GetBucketPolicyStatusAsync(new GetBucketPolicyStatusRequest { BucketName = settings.Bucket }, cancellationToken).ConfigureAwait(false);
        return answer.PolicyStatus?.IsPublic switch
        {
            false => HealthFinding.Passed("its policy is not public"),
            true => HealthFinding.Failed("its policy is public", "Remove from the policy what is granted to everybody (Principal \"*\"), or block public access."),
            null => HealthFinding.Unknown(NoAnswer),
        };
    }, "NoSuchBucketPolicy", HealthFinding.Passed("it has no policy"));

    public Task<HealthFinding> AclAsync() => AskAsync(async () =>
    {
        var answer = await client.GetBucketAclAsync(new GetBucketAclRequest { BucketName = settings.Bucket }, cancellationToken).ConfigureAwait(false);
        if (answer.Grants is null or [])
        {
            // The owner's own grant is always there.
            return HealthFinding.Unknown(NoAnswer);
        }

        var open = answer.Grants.Where(g => g.Grantee?.URI is { } uri && Everybody.Any(e => uri.EndsWith(e, StringComparison.Ordinal)))
            .Select(g => $"{g.Permission} to {g.Grantee.URI[(g.Grantee.URI.LastIndexOf('/') + 1)..]}").ToList();
        return open.Count == 0
            ? HealthFinding.Passed("it grants nothing to everybody")
            : HealthFinding.Failed("it grants " + string.Join(", ", open), "Set the bucket's ACL to private, or switch ACLs off (bucket owner enforced).");
    });

    public Task<HealthFinding> PublicAccessBlockAsync()
    {
        const string Remedy = "Turn all four settings of Block Public Access on, for the bucket or for the whole account.";
        return AskAsync(async () =>
        {
            var answer = await client.GetPublicAccessBlockAsync(new GetPublicAccessBlockRequest { BucketName = settings.Bucket }, cancellationToken).ConfigureAwait(false);
            if (answer.PublicAccessBlockConfiguration is not { } block)
            {
                return HealthFinding.Unknown(NoAnswer);
            }

            var off = new[]
            {
                (Name: "BlockPublicAcls", On: block.BlockPublicAcls), (Name: "IgnorePublicAcls", On: block.IgnorePublicAcls),
                (Name: "BlockPublicPolicy", On: block.BlockPublicPolicy), (Name: "RestrictPublicBuckets", On: block.RestrictPublicBuckets),
            }.Where(s => s.On != true).Select(s => s.Name).ToList();
            return off.Count == 0 ? HealthFinding.Passed("all four settings are on")
                : off.Count == 4 && block.BlockPublicAcls is null ? HealthFinding.Unknown(NoAnswer)
                : HealthFinding.Failed("off: " + string.Join(", ", off), Remedy);
        },
            // Other providers have nothing to block, or harm uploads when it is on (Ceph 16 refuses them all).
            "NoSuchPublicAccessBlockConfiguration",
            !S3ClientFactory.IsCustom(settings) ? HealthFinding.Failed("the bucket has none", Remedy) : HealthFinding.Unknown("the bucket has none, and not every provider can have one"));
    }

    public Task<HealthFinding> VersioningAsync() => AskAsync(async () =>
    {
        var answer = await client.GetBucketVersioningAsync(new GetBucketVersioningRequest { BucketName = settings.Bucket }, cancellationToken).ConfigureAwait(false);
        var status = answer.VersioningConfig?.Status?.Value;
        return status == "Enabled"
            ? HealthFinding.Passed("on")
            : HealthFinding.Failed(status == "Suspended" ? "suspended" : "off", "Turn versioning on, with a lifecycle rule that removes noncurrent versions after a while.");
    });

    public Task<HealthFinding> EncryptionAsync() => AskAsync(async () =>
    {
        var answer = await client.GetBucketEncryptionAsync(new GetBucketEncryptionRequest { BucketName = settings.Bucket }, cancellationToken).ConfigureAwait(false);
        var methods = (answer.ServerSideEncryptionConfiguration?.ServerSideEncryptionRules ?? [])
            .Select(r => r.ServerSideEncryptionByDefault?.ServerSideEncryptionAlgorithm?.Value).OfType<string>().ToList();
        return methods.Count > 0 ? HealthFinding.Passed(string.Join(", ", methods))
            : IsNone(answer) ? HealthFinding.Failed("the bucket has none", "Turn default encryption on, or ask for it with each backup: …?encryption=AES256.")
            : HealthFinding.Unknown(NoAnswer);
    });

    /// <summary>Judges the bucket's lifecycle rules; they are asked for once.</summary>
    public Task<HealthFinding> LifecycleAsync(Func<IReadOnlyList<LifecycleRule>, HealthFinding> judge) => AskAsync(
        async () => await (rules ??= LifecycleRulesAsync()).ConfigureAwait(false) is { } known ? judge(known) : HealthFinding.Unknown(NoAnswer));

    /// <param name="newest">Finds the key of the newest archive; null when there is none.</param>
    public Task<HealthFinding> ReplicationAsync(Func<Task<string?>> newest)
    {
        const string Remedy = "Set up replication to a bucket in another region, or keep a second store there and leave this check out: -Except Replication.";
        return AskAsync(async () =>
        {
            var answer = await client.GetBucketReplicationAsync(new GetBucketReplicationRequest { BucketName = settings.Bucket }, cancellationToken).ConfigureAwait(false);
            if (answer.Configuration?.Rules is null or [])
            {
                return IsNone(answer) ? HealthFinding.Failed("there is none", Remedy) : HealthFinding.Unknown(NoAnswer);
            }

            var active = answer.Configuration.Rules.Where(r => r.Status?.Value == "Enabled" && Covers(r)).ToList();
            if (active.Count == 0)
            {
                return HealthFinding.Failed("no rule that is on covers this prefix", Remedy);
            }

            var to = string.Join(", ", active.Select(r => r.Destination?.BucketArn).OfType<string>());
            if (await newest().ConfigureAwait(false) is not { } key)
            {
                return HealthFinding.Unknown($"configured to {to}; there is no backup yet", "Make a backup first.");
            }

            var head = await client.GetObjectMetadataAsync(settings.Bucket, key, cancellationToken).ConfigureAwait(false);
            return head.ReplicationStatus?.Value switch
            {
                "COMPLETED" or "COMPLETE" or "REPLICA" => HealthFinding.Passed($"{key} has arrived at {to}"),
                "FAILED" => HealthFinding.Failed($"{key} could not be copied to {to}", "See the destination's policy, the replication role and its KMS rights; then copy the object anew."),
                "PENDING" => HealthFinding.Unknown($"{key} is on its way to {to}", "Look again later."),
                var other => HealthFinding.Unknown($"the store does not say whether {key} has arrived at {to} (status '{other}')", "What was there before the rule is not copied by it."),
            };
        });
    }

    private bool Covers(ReplicationRule rule)
    {
        var tagged = rule.Filter?.Tag is not null || rule.Filter?.And?.Tags is { Count: > 0 };
        var prefix = rule.Filter?.Prefix ?? rule.Filter?.And?.Prefix ?? "";
        return !tagged && settings.Prefix.StartsWith(prefix, StringComparison.Ordinal);
    }

    private async Task<List<LifecycleRule>?> LifecycleRulesAsync()
    {
        var answer = await client.GetLifecycleConfigurationAsync(new GetLifecycleConfigurationRequest { BucketName = settings.Bucket }, cancellationToken).ConfigureAwait(false);
        return answer.Configuration?.Rules is { Count: > 0 } known ? known : IsNone(answer) ? [] : null;
    }

    /// <summary>
    /// Whether an answer says that there is no such setting. For some settings the SDK turns that error (404) into an empty answer; one that
    /// is empty without it comes from a provider that does not know the question.
    /// </summary>
    private static bool IsNone(AmazonWebServiceResponse answer) => answer.HttpStatusCode == HttpStatusCode.NotFound;

    /// <param name="question">Asks, and judges the answer.</param>
    /// <param name="none">S3's error code for: this bucket has no such setting.</param>
    /// <param name="finding">What that means.</param>
    private async Task<HealthFinding> AskAsync(Func<Task<HealthFinding>> question, string? none = null, HealthFinding? finding = null)
    {
        try
        {
            return await question().ConfigureAwait(false);
        }
        catch (AmazonS3Exception e) when (none is not null && e.ErrorCode == none)
        {
            return finding!;
        }
        catch (Exception e) when (S3Errors.AreTheStores(e, cancellationToken))
        {
            return HealthFinding.Unknown(S3Errors.Text(e), "Ask the provider, or use credentials that may read the bucket's settings.");
        }
    }
}
