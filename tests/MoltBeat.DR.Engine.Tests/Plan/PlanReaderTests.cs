using System.Text;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

public class PlanReaderTests
{
    [Fact]
    public void Everything_that_a_plan_may_say_is_read()
    {
        var plan = Read("""
            // A comment.
            {
              "$schema": "plan.schema.json", "version": 1, "minimumCopies": 2,
              "databases": [{ "name": "shop", "url": "postgresql://u@h:5432/shop?application_name=me@x", "excludeTables": ["tmp.*"], "excludeTableData": ["logs"] }],
              "stores": [
                { "name": "near", "location": "/var/backups/moltbeat" },
                { "name": "far", "location": "s3://bucket/a/b/", "endpoint": "https://s3.example.org:9000", "region": "eu-central-1", "profile": "p", "role": "arn:r",
                  "storageClass": "STANDARD_IA", "kmsKey": "k", "pathStyle": true, "checksums": "WhenRequired", "objectLock": "governance", "objectLockDays": 7, "timeoutSeconds": 5 },
              ],
              "retention": { "daily": { "keep": "14d", "atLeast": 5 }, "monthly": { "keep": "P1Y" }, "manual": { "keep": "forever", "atLeast": 0 } },
              "environment": ["/srv/*/.env", { "path": "/etc/shop.key", "name": "key" }],
              "folders": [{ "name": "uploads", "path": "/srv/uploads", "exclude": ["*.bak", "!*.log"], "maximumBytes": 5000000000 }, { "name": "other", "path": "/srv/other" }],
              "hooks": { "stop": [{ "command": ["/bin/true", /* here, too */ "x",] }] }, /* and here */
            }
            """);
        var database = Assert.Single(plan.Databases);
        Assert.Equal(["tmp.*"], database.ExcludeTables);
        Assert.Equal(["logs"], database.ExcludeTableData);
        Assert.Equal(2, plan.MinimumCopies);
        var stores = plan.StoreSettings();
        Assert.Equal(["near", "far"], stores.Select(s => s.Name));
        Assert.Equal("/var/backups/moltbeat", stores[0].Folder);
        Assert.Equal(
            StoreSettings.Parse("s3://bucket/a/b?endpoint=https://s3.example.org:9000&region=eu-central-1&profile=p&role=arn:r&storageClass=STANDARD_IA&kmsKey=k&pathStyle=true&checksums=WhenRequired&objectLock=Governance&objectLockDays=7&timeoutSeconds=5") with { Name = "far" },
            stores[1]);
        Assert.Equal(new RetentionRule(TimeSpan.FromDays(14), 5), plan.Retention.Daily);
        Assert.Equal(new RetentionRule(TimeSpan.FromDays(90), 3), plan.Retention.Weekly);
        Assert.Equal(new RetentionRule(TimeSpan.FromDays(365), 3), plan.Retention.Monthly);
        Assert.Equal(new RetentionRule(null, 0), plan.Retention.Manual);
        Assert.Equal([new PlannedFile("/srv/*/.env"), new PlannedFile("/etc/shop.key") { Name = "key" }], plan.Environment);
        Assert.Equal(["uploads", "other"], plan.Folders.Select(f => f.Name));
        Assert.Equal(("/srv/uploads", 5_000_000_000L), (plan.Folders[0].Path, plan.Folders[0].MaximumBytes));
        Assert.Equal(["*.bak", "!*.log"], plan.Folders[0].Exclude);
        Assert.Empty(plan.Folders[1].Exclude);
        Assert.Equal(["/bin/true", "x"], plan.Hooks.Stop[0].Line("stop"));
    }

    [Fact]
    public void The_least_plan_has_the_defaults()
    {
        var plan = Read("""{ "version": 1 }""");
        Assert.Empty(plan.Databases);
        Assert.Empty(plan.Stores);
        Assert.Equal(1, plan.MinimumCopies);
        Assert.Equal(["daily: 30d, at least 3", "weekly: 90d, at least 3", "monthly: 365d, at least 3", "manual: forever, at least 3"], plan.Retention.Rules.Select(r => $"{r.Kind}: {r.Rule}"));
        Assert.Empty(plan.Alerts.Routes);
        Assert.Empty(plan.Environment);
        Assert.Empty(plan.Folders);
    }

    [Theory]
    [InlineData("", "$", "line 1")]
    [InlineData("{ \"version\": 1,\n  oops }", "$", "line 2, byte 3")]
    [InlineData("{ \"version\": 1 } { }", "$", "line 1")]
    [InlineData("[1]", "$", "an object")]
    [InlineData("null", "$", "an object")]
    [InlineData("{}", "$.version", "missing")]
    [InlineData("""{ "version": "1" }""", "$.version", "a whole number")]
    [InlineData("""{ "version": 1.5 }""", "$.version", "a whole number")]
    [InlineData("""{ "version": 0 }""", "$.version", "no such version")]
    [InlineData("""{ "version": 1, "Stores": [] }""", "$.Stores", "no such property")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/a", "regoin": "x" }] }""", "$.stores[0].regoin", "no such property")]
    [InlineData("""{ "version": 1, "a b\n'": 1 }""", "$['a b??']", "no such property")]
    [InlineData("""{ "version": 1, "version": 1 }""", "$.version", "twice")]
    [InlineData("""{ "version": 1, "hooks": { "stop": [], "stop": [] } }""", "$.hooks.stop", "twice")]
    [InlineData("""{ "version": 1, "stores": {} }""", "$.stores", "a list")]
    [InlineData("""{ "version": 1, "stores": null }""", "$.stores", "a list")]
    [InlineData("""{ "version": 1, "stores": [null] }""", "$.stores[0]", "an object")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": null }] }""", "$.stores[0].location", "a text in quotes")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket", "pathStyle": "yes" }] }""", "$.stores[0].pathStyle", "true or false")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "backups" }] }""", "$.stores[0]", "absolute path")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "~/backups" }] }""", "$.stores[0]", "absolute path")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "gs://bucket/x" }] }""", "$.stores[0]", "absolute path")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/a", "region": "x" }] }""", "$.stores[0]", "no settings such as region")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://b" }] }""", "$.stores[0]", "no name of a bucket")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket", "objectLock": "Governance" }] }""", "$.stores[0]", "go together")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a/b", "location": "/a" }] }""", "$.stores[0].name", "cannot be a name")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/a" }, { "name": "A", "location": "/b" }] }""", "$.stores[1].name", "two of this name")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/x/../a" }, { "name": "b", "location": "/a/" }] }""", "$.stores[1].location", "same place as that of a")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket/p" }, { "name": "b", "location": "s3://bucket/p/?region=x" }] }""", "$.stores[1].location", "same place")]
    [InlineData("""{ "version": 1, "minimumCopies": 0 }""", "$.minimumCopies", "is none")]
    [InlineData("""{ "version": 1, "minimumCopies": 2, "stores": [{ "name": "a", "location": "/a" }] }""", "$.minimumCopies", "only 1")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a" }] }""", "$.databases[0].url", "missing")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "env:" }] }""", "$.databases[0].url", "names nothing")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "file:secret" }] }""", "$.databases[0].url", "absolute path")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": " " }] }""", "$.databases[0].url", "empty")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "env:U", "excludeTables": [""] }] }""", "$.databases[0].excludeTables", "empty name")]
    [InlineData("""{ "version": 1, "retention": { "daily": { "atLeast": 3 } } }""", "$.retention.daily.keep", "missing")]
    [InlineData("""{ "version": 1, "retention": { "daily": { "keep": 30 } } }""", "$.retention.daily.keep", "no time")]
    [InlineData("""{ "version": 1, "retention": { "daily": { "keep": "0d", "atLeast": 0 } } }""", "$.retention.daily", "keep nothing")]
    [InlineData("""{ "version": 1, "retention": { "daily": { "keep": "1d", "atLeast": -1 } } }""", "$.retention.daily.atLeast", "no number")]
    [InlineData("""{ "version": 1, "retention": { "yearly": { "keep": "1d" } } }""", "$.retention.yearly", "no such property")]
    [InlineData("""{ "version": 1, "environment": "/srv/.env" }""", "$.environment", "a list")]
    [InlineData("""{ "version": 1, "environment": [".env"] }""", "$.environment[0]", "no absolute path")]
    [InlineData("""{ "version": 1, "environment": [1] }""", "$.environment[0]", "an object")]
    [InlineData("""{ "version": 1, "environment": [null] }""", "$.environment[0]", "an object")]
    [InlineData("""{ "version": 1, "environment": [{ "name": "x" }] }""", "$.environment[0].path", "missing")]
    [InlineData("""{ "version": 1, "environment": [{ "path": "/a", "names": "x" }] }""", "$.environment[0].names", "no such property")]
    [InlineData("""{ "version": 1, "environment": [{ "path": "/a", "name": "../x" }] }""", "$.environment[0].name", "cannot be a name")]
    [InlineData("""{ "version": 1, "environment": ["/c", { "path": "/a", "name": "X" }, { "path": "/b", "name": "y" }, { "path": "relative", "name": "z" }] }""", "$.environment[3].path", "no absolute path")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "x" }] }""", "$.folders[0].path", "missing")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "x", "path": "uploads" }] }""", "$.folders[0].path", "no absolute path")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "..", "path": "/x" }] }""", "$.folders[0].name", "cannot be a name")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "x", "path": "/x" }, { "name": "X", "path": "/y" }] }""", "$.folders[1].name", "two of this name")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "x", "path": "/x", "exclude": [" "] }] }""", "$.folders[0].exclude", "empty glob")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "x", "path": "/x", "maximumBytes": 0 }] }""", "$.folders[0].maximumBytes", "no number of bytes")]
    [InlineData("""{ "version": 1, "folders": [{ "name": "x", "path": "/x", "maximumBytes": 1.5 }] }""", "$.folders[0].maximumBytes", "a whole number")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/a", "kinds": [] }] }""", "$.stores[0].kinds", "names no kind")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/a", "kinds": ["hourly"] }] }""", "$.stores[0].kinds", "one that there is not")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/a", "kinds": ["daily", "daily"] }] }""", "$.stores[0].kinds", "one twice")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "/a", "kinds": ["daily", "weekly", "monthly"] }] }""", "$.stores", "no store takes manual backups")]
    [InlineData("""{ "version": 1, "minimumCopies": 2, "stores": [{ "name": "a", "location": "/a" }, { "name": "b", "location": "/b", "kinds": ["daily", "weekly", "manual"] }] }""", "$.minimumCopies", "monthly backups go to 1 stores only")]
    [InlineData("""{ "version": 1, "jobs": { "daily": { "verify": "Some" } } }""", "$.jobs.daily.verify", "no such level")]
    [InlineData("""{ "version": 1, "jobs": { "weekly": { "timeLimitMinutes": -1 } } }""", "$.jobs.weekly.timeLimitMinutes", "no number of minutes")]
    [InlineData("""{ "version": 1, "jobs": { "monthly": { "stallMinutes": 40321 } } }""", "$.jobs.monthly.stallMinutes", "no number of minutes")]
    [InlineData("""{ "version": 1, "jobs": { "daily": { "at": "0 2 * *" } } }""", "$.jobs.daily.at", "is not five fields")]
    [InlineData("""{ "version": 1, "jobs": { "yearly": { } } }""", "$.jobs.yearly", "no such property")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "\ud800", "url": "env:U" }] }""", "$", "half a character")]
    public void What_is_wrong_is_told_with_its_place(string json, string path, string message)
    {
        var error = Assert.Throws<MoltException>(() => Read(json));
        Assert.Equal("PlanInvalid", error.Id);
        Assert.StartsWith($"The plan: {path}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(error.Remedy!);
    }

    [Fact]
    public void What_a_job_of_each_kind_does_has_defaults_of_its_own()
    {
        Assert.Equal([new("0 2 * * *", "Quick"), new("0 3 * * 0", "Full"), new PlannedJob("0 4 1 * *", "Full")], Read("""{ "version": 1 }""").Jobs.Jobs.Select(j => j.Job));
        Assert.Equal([new("0 2 * * *", "Full", 60), new("0 3 * * 0", "Full", 720, 0), new PlannedJob("0 4 1 * *", "Full")],
            Read("""{ "version": 1, "jobs": { "daily": { "verify": "Full", "timeLimitMinutes": 60 }, "weekly": { "stallMinutes": 0 } } }""").Jobs.Jobs.Select(j => j.Job));
    }

    [Fact]
    public void A_store_takes_the_kinds_that_it_names_or_all()
    {
        var plan = Read("""{ "version": 1, "stores": [{ "name": "a", "location": "/a" }, { "name": "b", "location": "/b", "kinds": ["monthly"] }] }""");
        Assert.Equal(["a"], plan.StoreSettings("Daily").Select(s => s.Name));
        Assert.Equal(["a", "b"], plan.StoreSettings("Monthly").Select(s => s.Name));
    }

    [Fact]
    public void All_that_is_wrong_is_told_at_once()
    {
        var error = Assert.Throws<MoltException>(() => Read("""{ "version": 1, "backups": 1, "stores": [{ "name": "a" }, 7], "minimumCopies": "2" }"""));
        foreach (var path in new[] { "$.backups: ", "$.stores[0].location: ", "$.stores[1]: ", "$.minimumCopies: " })
        {
            Assert.Contains(path, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_plan_of_a_later_form_is_told_apart_from_a_wrong_one()
        => Assert.Equal("PlanVersionUnknown", Assert.Throws<MoltException>(() => Read("""{ "version": 2, "whatEver": [] }""")).Id);

    [Fact]
    public void What_is_no_text_or_too_much_of_it_is_refused()
    {
        Assert.Equal("PlanInvalid", Assert.Throws<MoltException>(() => PlanReader.Read(new byte[] { (byte)'"', 0xff, (byte)'"' }, "x")).Id);
        Assert.Equal("PlanInvalid", Assert.Throws<MoltException>(() => PlanReader.Read(new byte[PlanReader.LargestFile + 1], "x")).Id);
        Assert.Equal("PlanInvalid", Assert.Throws<MoltException>(() => Read(new string('[', 5000))).Id);
        Assert.Equal(1, PlanReader.Read(Encoding.UTF8.GetBytes("\uFEFF{ \"version\": 1 }"), "x").Version);
    }

    [Theory]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "postgresql://u:s3cret@h/d" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "postgresql://:s3cret@h/d" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "postgresql://u:1?s3cret@h/d" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "postgresql://u:s3c/ret@h/d" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "postgresql://u:12/s3cret@h/d" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "postgresql://u@h/d?sslmode=require&password=s3cret" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "postgresql://u@h/d?p%61ssword=s3cret" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "host=h password = 's3cret' dbname=d" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "host=h sslpassword=s3cret" }] }""")]
    [InlineData("""{ "version": 1, "databases": [{ "name": "a", "url": "env:postgresql://u:s3cret@h/d" }] }""")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket?endpoint=https%3A%2F%2Fu%3As3cret@h" }] }""")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket?secretKey=s3cret" }] }""")]
    [InlineData("""{ "version": 1, "stores": [{ "name": "a", "location": "s3://bucket", "endpoint": "https://u:s3cret@h" }] }""")]
    [InlineData("""{ "version": 1, "redis": [{ "name": "a", "url": "redis://:s3cret@h" }] }""")]
    [InlineData("""{ "version": 1, "hooks": [{ "routingKey": "s3cret" }, { "smtp": { "password": "s3cret" } }] }""")]
    public void A_secret_in_the_plan_is_refused_and_not_repeated(string json)
    {
        var error = Assert.Throws<MoltException>(() => Read(json));
        Assert.Equal("SecretInPlan", error.Id);
        Assert.DoesNotContain("s3c", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("env:NAME", error.Remedy!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgresql://u@h1:5432,h2:5433/d?application_name=a@b")]
    [InlineData("postgresql://u@[::1]:5432/d?application_name=a@b")]
    [InlineData("postgresql:///d?host=/run/postgresql&passfile=/etc/molt/pgpass")]
    [InlineData("host=h dbname=d user=u passfile=/etc/molt/pgpass")]
    [InlineData("postgresql://u%40corp@h/d")]
    public void A_URL_without_a_password_is_not_taken_for_one_with(string url)
        => Assert.Equal(url, Assert.Single(Read($$"""{ "version": 1, "databases": [{ "name": "a", "url": "{{url}}" }] }""").Databases).Url);

    [Fact]
    public void A_syntax_error_quotes_nothing_of_the_file()
        => Assert.DoesNotContain("3cret", Assert.Throws<MoltException>(() => Read("""{ "version": 1, "redis": ts3cret }""")).ToString(), StringComparison.Ordinal);

    private static BackupPlan Read(string json) => PlanReader.Read(Encoding.UTF8.GetBytes(json), "The plan");
}
