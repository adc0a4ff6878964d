using System.Management.Automation;

namespace MoltBeat.DR.TestCommands;

/// <summary>Asks before it says that it removed something.</summary>
[Cmdlet(VerbsCommon.Remove, "Scenario", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(string))]
public sealed class RemoveScenarioCommand : MoltCommand
{
    [Parameter]
    public SwitchParameter AskAgain { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override void ProcessRecord()
    {
        if (Confirm("the database", "Remove") && (!AskAgain || Confirm(Force, "Sure?", "Removing")))
        {
            WriteObject("removed");
        }
    }
}
