using System.Management.Automation;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Recovery.Checks;

namespace MoltBeat.DR;

/// <summary>Looks at everything that can stand in a restore's way, and changes nothing: go, or no-go.</summary>
[Cmdlet(VerbsDiagnostic.Test, "MoltRestore")]
[OutputType(typeof(RestoreReadiness))]
public sealed class TestMoltRestoreCommand : RestoreCommand
{
    protected override AuditAction? Audits => new("TestRestore", IsGuarded: false);

    protected override void ProcessRecord() => Audited(Test);

    private void Test(AuditSubject subject)
    {
        if (!TryFind(subject, out var backup, out var copies, out var access) || !TryGetOptions(backup, access, out var options))
        {
            return;
        }

        (subject.Target, subject.Server) = (options.TargetDatabase, options.Connection.WithDatabase(options.TargetDatabase).Describe());
        if (RunOn(StoresOf(copies), (stores, observer, token) => RestoreOperation.TestAsync(stores.Zip(copies, (s, c) => (s, c.Name)).ToList(), options, observer, token), out var result, Path))
        {
            subject.IsDone = true;
            subject.Detail = result.Go ? "go" : $"no-go: {string.Join(", ", result.Failed.Select(c => c.Name))}";
            WriteObject(result);
        }
    }
}
