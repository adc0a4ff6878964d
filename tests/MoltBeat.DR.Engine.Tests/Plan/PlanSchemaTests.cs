using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

/// <summary>The published schema says what the records take, no more and no less.</summary>
public class PlanSchemaTests
{
    private static readonly string s_source = typeof(PlanSchemaTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "EngineSource").Value!;

    private static readonly JsonElement s_schema = JsonElement.Parse(File.ReadAllText(Path.Combine(s_source, "Plan", "plan.schema.json")));

    public static TheoryData<string> Samples => [.. Directory.GetFiles(Path.Combine(s_source, "..", "..", "samples", "plans"), "*.json").Select(f => Path.GetFileName(f))];

    [Theory]
    [InlineData(typeof(BackupPlan), "")]
    [InlineData(typeof(PlannedDatabase), "database")]
    [InlineData(typeof(PlannedStore), "store")]
    [InlineData(typeof(PlannedFile), "file")]
    [InlineData(typeof(PlannedFolder), "folder")]
    [InlineData(typeof(PlannedSigning), "signing")]
    [InlineData(typeof(PlannedRedis), "redisServer")]
    [InlineData(typeof(RetentionRules), "retention")]
    [InlineData(typeof(RetentionRule), "rule")]
    [InlineData(typeof(PlannedAudit), "audit")]
    [InlineData(typeof(PlannedJobs), "jobs")]
    [InlineData(typeof(PlannedJob), "job")]
    [InlineData(typeof(PlannedAlerts), "alerts")]
    [InlineData(typeof(PlannedHooks), "hooks")]
    [InlineData(typeof(PlannedHook), "hook")]
    [InlineData(typeof(PlannedHealth), "health")]
    [InlineData(typeof(PlannedObjectives), "objectives")]
    [InlineData(typeof(PlannedPriority), "priority")]
    [InlineData(typeof(PlannedScenario), "scenario")]
    [InlineData(typeof(PlannedContact), "contact")]
    [InlineData(typeof(PlannedRoute), "route")]
    [InlineData(typeof(PlannedAlertRule), "alertRule")]
    public void The_schema_and_the_records_have_the_same_properties(Type type, string definition)
    {
        var described = definition.Length == 0 ? s_schema : s_schema.GetProperty("$defs").GetProperty(definition);
        var properties = PlanShape.Known(PlanJson.Default.GetTypeInfo(type)!).ToList();
        Assert.Equal(
            properties.Select(p => $"{p.Name}: {KindOf(p.PropertyType)}").Order(StringComparer.Ordinal),
            described.GetProperty("properties").EnumerateObject().Select(p => $"{p.Name}: {KindOf(p.Value)}").Order(StringComparer.Ordinal));
        Assert.Equal(
            properties.Where(PlanShape.IsRequired).Select(p => p.Name),
            described.TryGetProperty("required", out var required) ? required.EnumerateArray().Select(r => r.GetString()!) : []);
        Assert.False(described.GetProperty("additionalProperties").GetBoolean());
        Assert.All(described.GetProperty("properties").EnumerateObject(), p => Assert.True(Resolve(p.Value).TryGetProperty("description", out _), p.Name));
    }

    [Fact]
    public void The_store_of_a_plan_takes_every_setting_that_a_URI_takes()
    {
        var settings = StoreSettings.Parse("s3://bucket?endpoint=http://h&region=r&profile=p&role=r&storageClass=s&kmsKey=k&pathStyle=true&checksums=WhenRequired&objectLock=Governance&objectLockDays=1&timeoutSeconds=1");
        var named = settings.ItemLocation("x").Split('?')[1].Split('&').Select(s => s.Split('=')[0]);
        Assert.Equal(named.Concat(["name", "location", "kinds"]).Order(), PlanShape.Known(PlanJson.Default.GetTypeInfo(typeof(PlannedStore))!).Select(p => p.Name).Order());
    }

    [Fact]
    public void The_defaults_in_the_schema_are_those_that_count()
    {
        foreach (var (kind, rule) in new RetentionRules().Rules)
        {
            Assert.Equal(rule, s_schema.GetProperty("$defs").GetProperty("retention").GetProperty("properties").GetProperty(kind).GetProperty("default").Deserialize(PlanJson.Default.RetentionRule));
        }

        foreach (var (kind, job) in new PlannedJobs().Jobs)
        {
            Assert.Equal(job, s_schema.GetProperty("$defs").GetProperty("jobs").GetProperty("properties").GetProperty(kind).GetProperty("default").Deserialize(PlanJson.Default.PlannedJob));
        }

        Assert.Equal(new BackupPlan(1).MinimumCopies, s_schema.GetProperty("properties").GetProperty("minimumCopies").GetProperty("default").GetInt32());
    }

    [Theory]
    [InlineData("30d")]
    [InlineData("forever")]
    [InlineData("P1Y2M3W4DT5H6M7S")]
    [InlineData("PT1H")]
    [InlineData("P")]
    [InlineData("PT")]
    [InlineData("P1DT")]
    [InlineData("30")]
    [InlineData("1234567d")]
    public void The_schema_takes_the_times_that_the_reader_takes(string text)
        => Assert.Equal(KeepTime.TryParse(text, out _), Regex.IsMatch(text, s_schema.GetProperty("$defs").GetProperty("rule").GetProperty("properties").GetProperty("keep").GetProperty("pattern").GetString()!));

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_sample_plan_is_read_without_a_complaint(string file)
    {
        var path = Path.Combine(s_source, "..", "..", "samples", "plans", file);
        var plan = PlanReader.Read(File.ReadAllBytes(path), file);
        Assert.NotEmpty(plan.Databases);
        Assert.True(plan.StoreSettings().Count > 1);
        Assert.True(Path.Exists(Path.Combine(Path.GetDirectoryName(path)!, plan.Schema!)));
    }

    [Fact]
    public void The_sample_of_three_places_is_what_the_plan_wants()
    {
        var plan = PlanReader.Read(File.ReadAllBytes(Path.Combine(s_source, "..", "..", "samples", "plans", "three-places.json")), "x");
        var stores = plan.StoreSettings();
        Assert.Equal("/var/backups/moltbeat", stores[0].Folder);
        Assert.Equal("STANDARD_IA", stores[1].StorageClass);
        Assert.NotEqual(stores[1].Region, stores[2].Region);
        Assert.Equal([30, 90, 365], plan.Retention.Rules.Take(3).Select(r => r.Rule.Keep!.Value.Days));
        Assert.Null(plan.Retention.Manual.Keep);
    }

    private static JsonElement Resolve(JsonElement property)
        => property.TryGetProperty("$ref", out var reference) && !property.TryGetProperty("description", out _)
            ? s_schema.GetProperty("$defs").GetProperty(reference.GetString()!["#/$defs/".Length..])
            : property;

    private static string KindOf(JsonElement property)
        => property.TryGetProperty("type", out var type) ? type.GetString()!
            : property.TryGetProperty("$ref", out var reference) ? s_schema.GetProperty("$defs").GetProperty(reference.GetString()!["#/$defs/".Length..]).GetProperty("type").GetString()!
            : "anything";

    private static string KindOf(Type type)
    {
        var bare = Nullable.GetUnderlyingType(type) ?? type;
        return bare == typeof(JsonElement) ? "anything"
            : bare == typeof(string) || bare == typeof(TimeSpan) ? "string"
            : bare == typeof(int) || bare == typeof(long) ? "integer"
            : bare == typeof(bool) ? "boolean"
            : PlanJson.Default.GetTypeInfo(bare)!.Kind == JsonTypeInfoKind.Enumerable ? "array" : "object";
    }
}
