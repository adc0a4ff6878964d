using System.Text;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

/// <summary>What the plan says of recoveries.</summary>
public class PlannedRecoveryTests
{
    [Fact]
    public void Without_a_word_the_usual_times_and_the_usual_path_hold()
    {
        var plan = Read("");
        Assert.Equal([("DatabaseCorruption", Priority.P0, 15), ("ServerLoss", Priority.P0, 120), ("DataDeletion", Priority.P1, 30)],
            Enum.GetValues<RecoveryScenario>().Select(s => (s.ToString(), plan.Objectives.PriorityOf(s), (int)plan.Objectives.RtoOf(s).TotalMinutes)));
        Assert.Equal([(0, "On-call engineer"), (15, "Team lead"), (30, "CTO"), (60, "Incident commander")], PlannedContact.Escalation(plan).Select(c => (c.AfterMinutes!.Value, c.Role)));
    }

    [Fact]
    public void A_scenario_has_its_own_time_else_that_of_its_priority()
    {
        var plan = Read("""
            , "objectives": { "priorities": [{ "priority": "P1", "rtoMinutes": 60, "rpoMinutes": 1440 }],
              "scenarios": [{ "scenario": "DatabaseCorruption", "priority": "P1" }, { "scenario": "ServerLoss", "rtoMinutes": 90 }] }
            """);
        Assert.Equal((60, 90, 30), (Minutes(plan, RecoveryScenario.DatabaseCorruption), Minutes(plan, RecoveryScenario.ServerLoss), Minutes(plan, RecoveryScenario.DataDeletion)));
        Assert.Equal(Priority.P1, plan.Objectives.PriorityOf(RecoveryScenario.DatabaseCorruption));
    }

    [Theory]
    [InlineData(""" "hooks": { "stop": [{}] } """, "$.hooks.stop[0]")]
    [InlineData(""" "hooks": { "stop": [{ "systemd": "a", "command": ["/bin/b"] }] } """, "$.hooks.stop[0]")]
    [InlineData(""" "hooks": { "start": [{ "command": ["b"] }] } """, "$.hooks.start[0]")]
    [InlineData(""" "hooks": { "start": [{ "systemd": "--now" }] } """, "$.hooks.start[0]")]
    [InlineData(""" "hooks": { "start": [{ "systemd": "a", "folder": "/b" }] } """, "$.hooks.start[0].folder")]
    [InlineData(""" "hooks": { "start": [{ "systemd": "a", "timeoutSeconds": 0 }] } """, "$.hooks.start[0].timeoutSeconds")]
    [InlineData(""" "hooks": { "health": { "url": "localhost" } } """, "$.hooks.health.url")]
    [InlineData(""" "objectives": { "priorities": [{ "priority": "P5", "rtoMinutes": 1 }] } """, "$.objectives.priorities[0].priority")]
    [InlineData(""" "objectives": { "priorities": [{ "priority": "P1", "rtoMinutes": 0 }] } """, "$.objectives.priorities[0]")]
    [InlineData(""" "objectives": { "scenarios": [{ "scenario": "Flood" }] } """, "$.objectives.scenarios[0].scenario")]
    [InlineData(""" "contacts": [{ "role": "" }] """, "$.contacts[0]")]
    [InlineData(""" "contacts": [{ "role": "a", "afterMinutes": -1 }] """, "$.contacts[0].afterMinutes")]
    [InlineData(""" "contacts": [{ "role": "a", "routes": ["b"] }] """, "$.contacts[0].routes")]
    public void What_makes_no_sense_is_named_by_its_path(string section, string path)
    {
        var (_, problems) = PlanReader.Examine(Encoding.UTF8.GetBytes("{ \"version\": 1, " + section + "}"));
        Assert.Equal(path, Assert.Single(problems).Path);
    }

    private static int Minutes(BackupPlan plan, RecoveryScenario scenario) => (int)plan.Objectives.RtoOf(scenario).TotalMinutes;

    private static BackupPlan Read(string more) => PlanReader.Read(Encoding.UTF8.GetBytes("{ \"version\": 1" + more + "}"), "The plan");
}
