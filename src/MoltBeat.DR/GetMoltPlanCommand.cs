using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Shows the plan that counts here, and where it came from. No secret is fetched.</summary>
[Cmdlet(VerbsCommon.Get, "MoltPlan")]
[OutputType(typeof(PlanInForce))]
public sealed class GetMoltPlanCommand : MoltCommand
{
    /// <summary>The plan's file. Without it MOLTBEAT_PLAN, then the machine's plan, then the user's, then the variables.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("Path", "FullName")]
    public string? PlanPath { get; set; }

    protected override void ProcessRecord()
    {
        try
        {
            WriteObject(SessionPlan.Locate(this, PlanPath));
        }
        catch (MoltException e)
        {
            WriteFailure(e, PlanPath);
        }
    }
}
