using System.Management.Automation;

namespace MoltBeat.DR.TestCommands;

/// <summary>Gives back the moment it was given.</summary>
[Cmdlet(VerbsCommon.Get, "Moment")]
[OutputType(typeof(DateTimeOffset))]
public sealed class GetMomentCommand : MoltCommand
{
    [Parameter(Mandatory = true, Position = 0)]
    [UtcTime]
    public DateTimeOffset At { get; set; }

    protected override void ProcessRecord() => WriteObject(At);
}
