using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Application.Redis;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

public sealed class PlanTestTests : IDisposable
{
    private const string Stores = """ "stores": [{ "name": "a", "location": "/a" }, { "name": "b", "location": "s3://bucket" }] """;

    private readonly PlanSandbox sandbox = new();

    public void Dispose() => sandbox.Dispose();

    [Fact]
    public void A_good_plan_passes_every_check()
    {
        var result = Test("{ \"version\": 1, \"databases\": [{ \"name\": \"shop\", \"url\": \"postgresql://u@h/d\" }], \"alerts\": { \"routes\": [{ \"name\": \"a\", \"kind\": \"email\", \"server\": \"h:25\", \"from\": \"a@b.c\", \"to\": [\"a@b.c\"] }] }," + Stores + "}");
        Assert.True(result.Passed);
        Assert.Equal(
            ["Privacy", "Syntax", "Version", "Names", "Secrets", "References", "Databases", "Stores", "StorageClass", "ObjectLock", "Copies", "Retention", "Jobs", "Keys", "Environment", "Folders", "Redis", "Audit", "Alerts", "Recovery"],
            result.Checks.Select(c => c.Name));
        Assert.All(result.Checks, c => Assert.True(c.Status == PlanCheckStatus.Passed, c.ToString() + c.Detail));
    }

    [Theory]
    [InlineData("oops", "Syntax")]
    [InlineData("""{ "version": 2 }""", "Version")]
    [InlineData("""{ "version": 1, "store": [] }""", "Names")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "redis://:s3cret@h" }] }""", "Secrets")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "env:UNSET" }] }""", "References")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "file:relative" }] }""", "References")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "" }] }""", "Redis")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "env:BAD" }] }""", "Redis")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "redis://h", "databases": "some" }] }""", "Redis")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "redis://h", "databases": [-1] }] }""", "Redis")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "redis://h" }, { "name": "A", "url": "redis://i" }] }""", "Redis")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "env:UNSET" }] }""", "References")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "env:" }] }""", "References")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "env:BAD" }] }""", "Databases")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a b", "url": "x" }] }""", "Databases")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "a" }] }""", "Stores")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket", "storageClass": "STANDARD-IA" }] }""", "StorageClass")]
    [InlineData("""{ "version": 1, "minimumCopies": 2, "stores": [{ "name": "a", "location": "/a" }] }""", "Copies")]
    [InlineData("""{ "version": 1, "environment": ["/etc/passwd"] }""", "Environment")]
    [InlineData("""{ "version": 1, "recipients": ["x"], "environment": ["/srv/missing"] }""", "Environment")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "a", "path": "a" }] }""", "Folders")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "a", "path": "/srv/missing" }] }""", "Folders")]
    [InlineData("""{ "version": 1, "retention": { "daily": { "keep": "0d", "atLeast": 0 } } }""", "Retention")]
    [InlineData("""{ "version": 1, "retention": { "daily": { "keep": "soon" } } }""", "Retention")]
    [InlineData("""{ "version": 1, "recipients": ["keys/a.asc"] }""", "Keys")]
    [InlineData("""{ "version": 1, "recipients": ["-a"] }""", "Keys")]
    [InlineData("""{ "version": 1, "trustedSigners": [""] }""", "Keys")]
    [InlineData("""{ "version": 1, "signing": { "key": "keys/a.asc" } }""", "Keys")]
    [InlineData("""{ "version": 1, "signing": { "key": "/a.asc", "passphrase": "s3cret" } }""", "Secrets")]
    [InlineData("""{ "version": 1, "signing": { "key": "/a.asc", "passphrase": "env:" } }""", "References")]
    public void What_fails_says_what_to_do_and_the_rest_is_looked_at_or_skipped(string json, string check)
    {
        sandbox["BAD"] = "s3cret";
        var result = Test(json);
        Assert.False(result.Passed);
        var failed = Assert.Single(result.Failed);
        Assert.Equal(check, failed.Name);
        Assert.NotEmpty(failed.Remedy);
        Assert.Equal(20, result.Checks.Select(c => c.Name).Distinct().Count());
        Assert.DoesNotContain("s3cret", string.Concat(result.Checks), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "version": 1 }""", "Databases", "there is none")]
    [InlineData("""{ "version": 1 }""", "Stores", "there is none")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/a" }] }""", "Copies", "one place only")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket", "storageClass": "DEEP_ARCHIVE" }] }""", "StorageClass", "hours")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket?endpoint=http://s3.example.org", "storageClass": "COLD" }] }""", "StorageClass", "s3.example.org")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket", "objectLock": "Compliance", "objectLockDays": 31 }] }""", "ObjectLock", "daily ones are kept for 30d")]
    [InlineData("""{ "version": 1, "retention": { "daily": { "keep": "1d", "atLeast": 0 } } }""", "Retention", "when backups cease")]
    [InlineData("""{ "version": 1, "hooks": { "stop": [{ "systemd": "app" }] } }""", "Recovery", "nothing says how it is started")]
    [InlineData("""{ "version": 1, "alerts": { } }""", "Alerts", "nobody is told")]
    [InlineData("""{ "version": 1, "alerts": { "rules": [{ "problem": "BackupFailed", "routes": [] }], "routes": [{ "name": "a", "kind": "email", "server": "h:25", "from": "a@b.c", "to": ["a@b.c"] }] } }""", "Alerts", "BackupFailed: nobody is told")]
    public void What_should_be_known_is_a_warning_and_the_plan_passes(string json, string check, string text)
    {
        var result = Test(json);
        Assert.True(result.Passed);
        var warning = Assert.Single(result.Warnings, w => w.Name == check);
        Assert.Contains(text, warning.Detail, StringComparison.Ordinal);
        Assert.NotEmpty(warning.Remedy);
    }

    [Fact]
    public void A_vault_is_asked_only_online()
    {
        const string Json = """{ "version": 1, "databases": [{ "name": "a", "url": "secret:db" }] }""";
        Assert.Equal(PlanCheckStatus.Skipped, Assert.Single(Test(Json).Checks, c => c.Name == "References").Status);
        Assert.Equal(PlanCheckStatus.Passed, Assert.Single(Test(Json, online: true).Checks, c => c.Name == "References").Status);
        Assert.Equal("References", Assert.Single(Test(Json.Replace("secret:db", "secret:other", StringComparison.Ordinal), online: true).Failed).Name);
    }

    [Fact]
    public void A_plan_that_others_may_write_to_fails_and_the_rest_is_looked_at_all_the_same()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        var path = sandbox.Write("plan.json", """{ "version": 1, "x": 1 }""", UnixFileMode.UserRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead);
        var result = PlanTest.Run(sandbox.Locator, path);
        Assert.Equal(["Privacy", "Names"], result.Failed.Select(c => c.Name));
    }

    [Fact]
    public void Files_that_others_may_read_are_warnings()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.OtherRead;
        var secret = sandbox.Write("secret", "s3cret", mode);
        var path = sandbox.Write("plan.json", $$"""{ "version": 1, "databases": [{ "name": "a", "url": "file:{{secret}}" }] }""", mode);
        var result = PlanTest.Run(sandbox.Locator, path);
        Assert.Equal(["Privacy", "References"], result.Warnings.Select(w => w.Name).Where(n => n is "Privacy" or "References"));
        Assert.Contains(result.Checks, c => c is { Name: "References", Status: PlanCheckStatus.Passed });
    }

    [Fact]
    public void A_plan_made_of_variables_is_looked_at_too()
    {
        sandbox["RETENTION_DAYS"] = "x";
        var result = PlanTest.Run(sandbox.Locator);
        Assert.Equal("variables RETENTION_DAYS", result.Source);
        Assert.Null(result.Path);
        Assert.StartsWith("RETENTION_DAYS: ", Assert.Single(result.Failed).Detail, StringComparison.Ordinal);
        Assert.Equal(PlanCheckStatus.Skipped, result.Checks[0].Status);
    }

    private PlanTestResult Test(string json, bool online = false)
        => PlanTest.Run(sandbox.Locator, sandbox.Write("plan.json", json), name => name == "db" ? "postgresql://h/d" : null, online,
            url => _ = url == "s3cret" ? throw new MoltException("ConnectionStringInvalid", ErrorKind.InvalidArgument, "It is none.", "Write one.") : url,
            checkFile: file => _ = EnvironmentFiles.Find([file]), checkFolder: FolderCapture.Check, checkRedisUrl: url => _ = RedisUrl.Parse(url));
}
