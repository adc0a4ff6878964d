using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

public sealed class PlanLocatorTests : IDisposable
{
    private readonly PlanSandbox sandbox = new();

    public void Dispose() => sandbox.Dispose();

    [Fact]
    public void The_plan_that_is_named_goes_before_the_variables_before_the_machines_before_the_users_before_the_old_variables()
    {
        sandbox["DATABASE_URL"] = "postgresql://u:s3cret@h/d";
        Assert.Equal("variables DATABASE_URL", sandbox.Locator.Locate().Source);
        var user = sandbox.Write(sandbox.UserPlan, Plan("user"));
        Assert.Equal(("user", user), Found());
        var machine = sandbox.Write(sandbox.SystemPlan, Plan("machine"));
        Assert.Equal(("machine", machine), Found());
        var variable = sandbox.Write("here/by-variable.json", Plan("variable"));
        sandbox["MOLTBEAT_PLAN"] = "by-variable.json";
        Assert.Equal(("variable", variable), Found());
        var named = sandbox.Write("named.json", Plan("named"));
        Assert.Equal(("named", named), Found(named));
    }

    [Fact]
    public void The_users_settings_may_be_elsewhere()
    {
        sandbox["XDG_CONFIG_HOME"] = Path.Combine(sandbox.Root, "xdg");
        var path = sandbox.Write("xdg/moltbeat/plan.json", Plan("xdg"));
        Assert.Equal(("xdg", path), Found());
    }

    [Fact]
    public void A_plan_that_is_named_and_not_there_is_not_replaced_by_another()
    {
        sandbox.Write(sandbox.SystemPlan, Plan("machine"));
        Assert.Equal("PlanNotFound", Error("/nowhere/plan.json").Id);
        sandbox["MOLTBEAT_PLAN"] = "/nowhere/plan.json";
        Assert.Equal("PlanNotFound", Error().Id);
        sandbox["MOLTBEAT_PLAN"] = "";
        Assert.Equal("machine", Found().Database);
    }

    [Fact]
    public void A_plan_that_is_no_good_is_not_replaced_by_another()
    {
        sandbox.Write(sandbox.UserPlan, Plan("user"));
        var machine = sandbox.Write(sandbox.SystemPlan, "{ }");
        var error = Error();
        Assert.Equal("PlanInvalid", error.Id);
        Assert.Contains(machine, error.Message, StringComparison.Ordinal);
        File.Delete(machine);
        Directory.CreateDirectory(machine);
        Assert.Equal("PlanNotReadable", Error().Id);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void A_plan_that_others_may_write_to_is_refused(UnixFileMode open)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        var path = sandbox.Write("plan.json", Plan("a"), UnixFileMode.UserRead | open);
        var error = Error(path);
        Assert.Equal("PlanNotPrivate", error.Id);
        Assert.Contains("chmod go-w", error.Remedy!, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_that_others_may_replace_is_refused_and_one_in_a_folder_like_tmp_is_not()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        const UnixFileMode all = (UnixFileMode)0x1ff;
        var path = sandbox.Write("open/plan.json", Plan("a"));
        PlanSandbox.SetMode(Path.GetDirectoryName(path)!, all);
        Assert.Equal("PlanNotPrivate", Error(path).Id);
        PlanSandbox.SetMode(Path.GetDirectoryName(path)!, all | UnixFileMode.StickyBit);
        Assert.Equal("a", Found(path).Database);
    }

    [Fact]
    public void A_plan_that_others_may_read_is_used_with_a_warning()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        var path = sandbox.Write("plan.json", Plan("a"), UnixFileMode.UserRead | UnixFileMode.GroupRead);
        Assert.Contains(path, Assert.Single(sandbox.Locator.Locate(path).Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void The_old_variables_make_a_plan()
    {
        sandbox["DATABASE_URL"] = "postgresql://u:s3cret@h/d";
        sandbox["BACKUP_DIR"] = "/srv/backups";
        sandbox["S3_BUCKET"] = "moltbeat-backups";
        sandbox["RETENTION_DAYS"] = "14";
        sandbox["WEBHOOK_URL"] = "https://hooks.example.org/s3cret";
        var found = sandbox.Locator.Locate();
        Assert.Equal("variables DATABASE_URL, BACKUP_DIR, S3_BUCKET, RETENTION_DAYS, WEBHOOK_URL", found.Source);
        Assert.Null(found.Path);
        Assert.Equal("env:DATABASE_URL", Assert.Single(found.Databases).Url);
        Assert.Equal(["/srv/backups", "s3://moltbeat-backups/"], found.Plan.StoreSettings().Select(s => s.Location));
        Assert.All(found.Retention.Rules, r => Assert.Equal("14d, at least 3", r.Rule.ToString()));
        Assert.Equal(("webhook", "env:WEBHOOK_URL"), (Assert.Single(found.Plan.Alerts.Routes).Kind, found.Plan.Alerts.Routes[0].Url));
        Assert.DoesNotContain("s3cret", System.Text.Json.JsonSerializer.Serialize(found), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_anything_backups_go_where_they_always_went()
    {
        var found = sandbox.Locator.Locate();
        Assert.Equal("defaults", found.Source);
        Assert.Empty(found.Databases);
        Assert.Equal("/var/backups/moltbeat", Assert.Single(found.Stores).Location);
    }

    [Theory]
    [InlineData("BACKUP_DIR", "there", "local")]
    [InlineData("S3_BUCKET", "s3://moltbeat-backups/x?region=eu-central-1", "s3")]
    public void The_old_places_may_be_written_in_other_ways(string variable, string value, string store)
    {
        sandbox[variable] = value;
        var found = sandbox.Locator.Locate().Plan.StoreSettings().Single(s => s.Name == store);
        Assert.Equal(store == "s3" ? "s3://moltbeat-backups/x/" : Path.Combine(sandbox.Root, "here", "there"), found.Location);
        Assert.Equal(store == "s3" ? "eu-central-1" : null, found.Region);
    }

    [Theory]
    [InlineData("RETENTION_DAYS", "thirty", "PlanInvalid")]
    [InlineData("RETENTION_DAYS", "0", "PlanInvalid")]
    [InlineData("S3_BUCKET", "no bucket", "PlanInvalid")]
    [InlineData("S3_BUCKET", "s3://bucket?endpoint=http://u:s3cret@h", "SecretInPlan")]
    public void An_old_variable_that_makes_no_sense_is_an_error(string variable, string value, string id)
    {
        sandbox[variable] = value;
        var error = Error();
        Assert.Equal(id, error.Id);
        Assert.Contains(variable, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);
    }

    private static string Plan(string database) => $$"""{ "version": 1, "databases": [{ "name": "{{database}}", "url": "env:U" }] }""";

    private (string Database, string? Path) Found(string? path = null)
    {
        var found = sandbox.Locator.Locate(path);
        return (Assert.Single(found.Databases).Name, found.Path);
    }

    private MoltException Error(string? path = null) => Assert.Throws<MoltException>(() => sandbox.Locator.Locate(path));
}
