using System.Text;
using MoltBeat.DR.Engine.Audit;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Audit;

public class AuditSettingsTests
{
    private static BackupPlan Plan(string audit) => PlanReader.Read(Encoding.UTF8.GetBytes($$"""{ "version": 1, "stores": [{ "name": "vault", "location": "/srv/vault" }], "audit": {{audit}} }"""), "test");

    private static PlanSurroundings Around(params (string Name, string Value)[] variables)
        => new(name => variables.FirstOrDefault(v => v.Name == name).Value, "/home/anna", "/etc", "/work");

    [Fact]
    public void The_variable_goes_before_the_plan_and_the_plan_before_the_usual_places()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has other places.");
        var plan = Plan("""{ "path": "/srv/audit" }""");
        Assert.Equal("/work/mine", AuditSettings.Of(plan, Around(("MOLTBEAT_AUDIT", "mine")), true).Folder);
        Assert.Equal("/srv/audit", AuditSettings.Of(plan, Around(), true).Folder);
        Assert.Equal("/var/log/moltbeat", AuditSettings.Of(null, Around(), true).Folder);
        Assert.Equal("/home/anna/.local/state/moltbeat-dr", AuditSettings.Of(null, Around(), false).Folder);
        Assert.Equal("/home/anna/state/moltbeat-dr", AuditSettings.Of(Plan("{}"), Around(("XDG_STATE_HOME", "/home/anna/state")), false).Folder);
        Assert.Equal("/home/anna/.local/state/moltbeat-dr", AuditSettings.Of(null, Around(("XDG_STATE_HOME", "relative")), false).Folder);
    }

    [Fact]
    public void The_plan_says_who_gets_copies_and_whether_a_log_must_be()
    {
        var settings = AuditSettings.Of(Plan("""{ "syslog": "loghost:514", "store": "Vault", "rotateBytes": 65536, "required": true }"""), Around(), false);
        Assert.Equal(("loghost:514", "/srv/vault", 65536, true), (settings.Syslog, settings.Store?.Folder, settings.RotateBytes, settings.Required));
        Assert.Equal("eventlog", AuditSettings.Of(Plan("""{ "syslog": "eventlog" }"""), Around(), false).Syslog);
        var usual = AuditSettings.Of(null, Around(), false);
        Assert.Equal((null, null, 16 << 20, false), (usual.Syslog, usual.Store, usual.RotateBytes, usual.Required));
    }

    [Theory]
    [InlineData("""{ "path": "relative" }""", "$.audit.path")]
    [InlineData("""{ "syslog": "loghost" }""", "$.audit.syslog")]
    [InlineData("""{ "store": "elsewhere" }""", "$.audit.store")]
    [InlineData("""{ "rotateBytes": 100 }""", "$.audit.rotateBytes")]
    [InlineData("""{ "required": 1 }""", "$.audit.required")]
    [InlineData("""{ "level": "all" }""", "$.audit.level")]
    public void What_makes_no_sense_in_a_plan_is_named(string audit, string path)
        => Assert.Contains(path, Assert.Throws<MoltException>(() => Plan(audit)).Message, StringComparison.Ordinal);
}
