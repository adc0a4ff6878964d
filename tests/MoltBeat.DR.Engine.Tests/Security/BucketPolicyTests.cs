using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Security;

/// <summary>
/// The policies of samples/security. Amazon's own IAM is not here: a gateway that knows bucket policies judges the same
/// statements, given to a second user who has no other right.
/// </summary>
public sealed class BucketPolicyTests(CephFixture ceph, PostgresFixture postgres) : IDisposable
{
    private const string Bucket = "moltbeat-backups";
    private const int Users = 9;

    private static readonly string[] s_unknownToCeph = ["s3:GetEncryptionConfiguration"];
    private static int s_users;
    private readonly Workshop _workshop = new();

    private static string Samples { get; } = Path.Combine(
        typeof(BucketPolicyTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "EngineSource").Value!, "..", "..", "samples", "security");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Policies => [.. Directory.GetFiles(Samples, "iam-*.json").Select(f => Path.GetFileName(f)!)];

    public void Dispose() => _workshop.Dispose();

    /// <summary>
    /// A profile is how a store gets other credentials than the process's own. All of them are written before the first test:
    /// the SDK does not look at the file again.
    /// </summary>
    internal static void WriteProfiles(string path)
    {
        File.WriteAllLines(path, Enumerable.Range(1, Users).Select(i => string.Create(CultureInfo.InvariantCulture, $"[limited-{i}]\naws_access_key_id = limited-{i}-key\naws_secret_access_key = limited-{i}-secret\n")));
        Environment.SetEnvironmentVariable("AWS_SHARED_CREDENTIALS_FILE", path);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void A_policy_is_one_that_IAM_takes_and_reaches_nothing_beyond_the_bucket(string file)
    {
        var policy = JsonNode.Parse(File.ReadAllText(Path.Combine(Samples, file)))!;
        Assert.Equal("2012-10-17", (string?)policy["Version"]);
        Assert.Equal(["Version", "Statement"], policy.AsObject().Select(p => p.Key));
        var statements = policy["Statement"]!.AsArray();
        Assert.Equal(statements.Count, statements.Select(s => (string?)s!["Sid"]).Distinct().Count());
        foreach (var statement in statements)
        {
            Assert.Matches("^[A-Za-z0-9]+$", (string)statement!["Sid"]!);
            Assert.Contains((string)statement["Effect"]!, new[] { "Allow", "Deny" });
            Assert.Empty(statement.AsObject().Select(p => p.Key).Except(["Sid", "Effect", "Action", "Resource", "Condition"]));
            Assert.All(statement["Action"]!.AsArray(), a => Assert.Matches("^s3:[A-Z][A-Za-z]+$", (string)a!));
            Assert.All(Texts(statement["Resource"]!), r => Assert.StartsWith($"arn:aws:s3:::{Bucket}", r, StringComparison.Ordinal));
        }

        // Nobody who makes or reads backups may remove one.
        var allowed = statements.Where(s => (string)s!["Effect"]! == "Allow").ToList();
        Assert.Equal(file == "iam-retention.json", allowed.Any(s => Texts(s!["Action"]!).Contains("s3:DeleteObject") && Texts(s["Resource"]!).Contains($"arn:aws:s3:::{Bucket}/production/*")));
        Assert.DoesNotContain(allowed.SelectMany(s => Texts(s!["Action"]!)), a => a is "s3:BypassGovernanceRetention" or "s3:DeleteObjectVersion" or "s3:PutBucketPolicy");
    }

    [Fact]
    public async Task The_backup_policy_backs_up_and_cannot_remove()
    {
        var store = await AsAsync("iam-backup.json");
        await using var source = await postgres.CreateDatabaseAsync("policy");
        await source.ExecuteAsync("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i", Cancel);
        var backup = await BackUpAsync(source, store.Limited);
        using var open = new S3Store(store.Limited, _workshop);
        var e = await Workshop.RefusedAsync("StoreDenied", () => open.DeleteAsync(backup.Name, Cancel));
        Assert.Contains("s3:DeleteObject", e.Remedy, StringComparison.Ordinal);
        Assert.Equal(backup.Id, (await new BackupCatalog(open).ReadAsync(backup.Name, Cancel)).Id);

        // Nor does it reach another prefix.
        await Workshop.RefusedAsync("StoreDenied", () => BackUpAsync(source, store.Limited with { Prefix = "elsewhere/" }));
    }

    [Fact]
    public async Task The_restore_policy_verifies_and_restores_and_can_neither_write_nor_remove_a_backup()
    {
        var store = await AsAsync("iam-restore.json");
        await using var source = await postgres.CreateDatabaseAsync("policy");
        await source.ExecuteAsync("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i", Cancel);
        var backup = await BackUpAsync(source, store.Owner);
        using var open = new S3Store(store.Limited, _workshop);
        Assert.True((await VerificationOperation.RunAsync(open, backup.Name, new VerificationOptions { Level = VerificationLevel.Full }, _workshop, Cancel)).Passed);
        var target = postgres.Unique("policy_copy");
        var result = await RestoreOperation.RunAsync(open, backup.Name, new RestoreOptions { Connection = ConnectionSettings.Parse(source.Uri), TargetDatabase = target, Jobs = 1 }, _workshop, Cancel);
        Assert.Equal(ProofStatus.Proven, result.Proof);
        await source.Server.DropDatabaseAsync(target, Cancel);
        Assert.Empty(_workshop.Warnings);
        Assert.NotNull((await new BackupCatalog(open).ReadAsync(backup.Name, Cancel)).Verification);
        await Workshop.RefusedAsync("StoreDenied", () => open.DeleteAsync(backup.Name, Cancel));

        // The file's name has its time in seconds.
        await Task.Delay(1100, Cancel);
        await Workshop.RefusedAsync("StoreDenied", () => BackUpAsync(source, store.Limited));
    }

    [Fact]
    public async Task The_retention_policy_removes_and_cannot_write()
    {
        var store = await AsAsync("iam-retention.json");
        await using var source = await postgres.CreateDatabaseAsync("policy");
        await source.ExecuteAsync("CREATE TABLE t (i int)", Cancel);
        var backup = await BackUpAsync(source, store.Owner);

        // The file's name has its time in seconds.
        await Task.Delay(1100, Cancel);
        await Workshop.RefusedAsync("StoreDenied", () => BackUpAsync(source, store.Limited));
        using var open = new S3Store(store.Limited, _workshop);
        await new BackupRemoval(open).RemoveAsync(backup.Name, [], force: true, Cancel);
        await Workshop.RefusedAsync("BackupNotFound", () => open.FindAsync(backup.Name, Cancel));
    }

    [Fact]
    public async Task The_backup_policy_with_the_lock_policy_locks_and_cannot_get_around_it()
    {
        var store = await AsAsync(["iam-backup.json", "iam-object-lock.json"], objectLock: true);
        var locking = store.Limited with { ObjectLock = ObjectLockMode.Governance, ObjectLockDays = 1 };
        await using var source = await postgres.CreateDatabaseAsync("policy");
        await source.ExecuteAsync("CREATE TABLE t (i int)", Cancel);
        var backup = await BackUpAsync(source, locking);
        using var open = new S3Store(locking, _workshop);
        Assert.InRange((await open.LockedUntilAsync(backup.Name, Cancel))!.Value, DateTimeOffset.UtcNow.AddHours(23), DateTimeOffset.UtcNow.AddHours(25));
        await Workshop.RefusedAsync("BackupLocked", () => open.DeleteAsync(backup.Name, Cancel));
        var key = store.Owner.Prefix + backup.Name;
        var version = (await open.Client.GetObjectMetadataAsync(store.Owner.Bucket, key, Cancel)).VersionId;
        var e = await Assert.ThrowsAsync<Amazon.S3.AmazonS3Exception>(() => open.Client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = store.Owner.Bucket, Key = key, VersionId = version, BypassGovernanceRetention = true }, Cancel));
        Assert.Equal(System.Net.HttpStatusCode.Forbidden, e.StatusCode);
    }

    [Fact]
    public async Task The_health_policy_sees_what_the_owner_sees_and_reads_no_other_prefix()
    {
        var store = await AsAsync("iam-health.json");
        var (owner, limited) = (await StoreHealth.Of(store.Owner).CheckAsync(new StoreHealthOptions(), Cancel), await StoreHealth.Of(store.Limited).CheckAsync(new StoreHealthOptions(), Cancel));
        // The gateway gives no policy the right to these two questions.
        static IEnumerable<string> Shown(StoreHealthResult result) => result.Checks.Where(c => c.Name is not ("DefaultEncryption" or "PublicAccessBlock")).Select(c => $"{c.Name} {c.Status} {c.Detail}");
        Assert.Equal(Shown(owner), Shown(limited));
        using var open = new S3Store(store.Limited, _workshop);
        await Workshop.RefusedAsync("StoreDenied", () => open.PutRecordAsync("x.tar", "y.json", new byte[1], Cancel));
    }

    private Task<BackupInfo> BackUpAsync(TestDatabase source, StoreSettings store)
        => BackupOperation.RunAsync(new BackupOptions { Connection = ConnectionSettings.Parse(source.Uri), Destinations = [store], Jobs = 1 }, _workshop, problem => throw problem, Cancel);

    /// <summary>A store in a new bucket, as its owner sees it, and as one does who has that policy only.</summary>
    private Task<(StoreSettings Owner, StoreSettings Limited)> AsAsync(string file) => AsAsync([file], objectLock: false);

    private async Task<(StoreSettings Owner, StoreSettings Limited)> AsAsync(string[] files, bool objectLock)
    {
        var bucket = await ceph.CreateBucketAsync("policy", objectLock);
        using var _ = bucket;
        var user = "limited-" + Interlocked.Increment(ref s_users).ToString(CultureInfo.InvariantCulture);
        await bucket.Gateway.AdminAsync(["user", "create", "--uid", user, "--display-name", user, "--access-key", user + "-key", "--secret-key", user + "-secret"], Cancel);
        var statements = new JsonArray();
        foreach (var file in files)
        {
            var policy = JsonNode.Parse((await File.ReadAllTextAsync(Path.Combine(Samples, file), Cancel)).Replace(Bucket, bucket.Name, StringComparison.Ordinal))!;
            foreach (var statement in policy["Statement"]!.AsArray())
            {
                var given = statement!.DeepClone();
                given["Principal"] = new JsonObject { ["AWS"] = new JsonArray($"arn:aws:iam:::user/{user}") };
                statements.Add(given);
            }
        }

        // The gateway refuses a policy with an action that it does not know.
        foreach (var statement in statements)
        {
            var known = statement!["Action"]!.AsArray().Select(a => (string)a!).Except(s_unknownToCeph);
            statement["Action"] = new JsonArray([.. known.Select(a => (JsonNode)a!)]);
        }

        var together = new JsonObject { ["Version"] = "2012-10-17", ["Statement"] = statements };
        await bucket.Client.PutBucketPolicyAsync(new PutBucketPolicyRequest { BucketName = bucket.Name, Policy = together.ToJsonString() }, Cancel);

        var owner = bucket.Store("production");
        return (owner, owner with { Profile = user });
    }

    private static IEnumerable<string> Texts(JsonNode node) => node is JsonArray list ? list.Select(n => (string)n!) : [(string)node!];
}
