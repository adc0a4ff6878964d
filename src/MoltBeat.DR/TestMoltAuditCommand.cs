using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Audit;

namespace MoltBeat.DR;

/// <summary>Tests whether the audit log is as it was written, and names each line that is not.</summary>
[Cmdlet(VerbsDiagnostic.Test, "MoltAudit")]
[OutputType(typeof(AuditTestResult))]
public sealed class TestMoltAuditCommand : AuditCommand
{
    /// <summary>Older files have been moved away on purpose: the first line need not be the first there ever was.</summary>
    [Parameter]
    public SwitchParameter Partial { get; set; }

    protected override void ProcessRecord()
    {
        // One file alone proves little: the log is its folder.
        var folder = File.Exists(LogPath) ? System.IO.Path.GetDirectoryName(LogPath)! : LogPath;
        if (!Run((_, token) => AuditTest.RunAsync(folder, Partial, token), out var result, folder))
        {
            return;
        }

        WriteObject(result);
        if (!result.Passed)
        {
            const int Shown = 5;
            var rest = result.Problems.Count - Shown;
            WriteFailure(new MoltException("AuditTestFailed", ErrorKind.InvalidData,
                $"The audit log in {result.Path} is not as it was written: {string.Join("; ", result.Problems.Take(Shown))}{(rest > 0 ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"; and {rest} more") : "")}.",
                "Put the folder aside as evidence, compare it with the copies in the store or in syslog, and find out who may write there. The next operation begins a new log.", result.Path));
        }
    }
}
