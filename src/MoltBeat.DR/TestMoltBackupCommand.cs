using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR;

/// <summary>Verifies backups, and keeps each result beside its backup.</summary>
[Cmdlet(VerbsDiagnostic.Test, "MoltBackup")]
[OutputType(typeof(VerificationResult))]
public sealed class TestMoltBackupCommand : KeyCommand
{
    /// <summary>The archive; Get-MoltBackup's objects bind here.</summary>
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    /// <summary>All copies, as Get-MoltBackup's objects bring them along.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public BackupLocation[]? Locations { get; set; }

    /// <summary>Verify every copy, each with a result of its own; without it the nearest one.</summary>
    [Parameter]
    public SwitchParameter AllCopies { get; set; }

    /// <summary>Quick checks every stored byte; Full also decompresses, counts and digests every row.</summary>
    [Parameter]
    public VerificationLevel Level { get; set; }

    /// <summary>An older backup fails: seconds, or d.hh:mm:ss.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? MaxAge { get; set; }

    /// <summary>A smaller archive fails; bytes, or 10MB and the like.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long MinimumSize { get; set; } = 1;

    /// <summary>Parts checked at once; by default one for each core, at most 8.</summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int Jobs { get; set; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>The folder of pg_restore, in place of PATH and the usual ones.</summary>
    [Parameter]
    public string? ClientToolPath { get; set; }

    protected override AuditAction? Audits => new("Verify", IsGuarded: false);

    protected override void ProcessRecord()
    {
        IReadOnlyList<(StoreSettings Store, string Name)> copies;
        try
        {
            copies = CopiesOf(Path, Locations);
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
            return;
        }

        if (!TryGetAccess(out var access))
        {
            return;
        }

        var options = new VerificationOptions
        {
            Access = access,
            Level = Level,
            MaxAge = MaxAge,
            MinimumSize = MinimumSize,
            Jobs = Jobs,
            ClientToolFolder = ClientToolPath is null ? null : GetUnresolvedProviderPathFromPSPath(ClientToolPath),
        };
        foreach (var (store, name) in AllCopies ? copies : copies.Take(1))
        {
            Audited(subject =>
            {
                (subject.In(store).Backup, subject.Detail) = (name, Level.ToString());
                if (RunOn([store], (stores, observer, token) => DumpVerification.RunAnyAsync(stores[0], name, options, observer, token), out var result, store.ItemLocation(name)))
                {
                    (subject.Database, subject.BackupId, subject.IsDone) = (result.Database, result.Id, result.Passed);
                    Show(result);
                }
            });
        }
    }

    private void Show(VerificationResult result)
    {
        foreach (var check in result.Checks)
        {
            WriteVerbose($"{check.Name}: {check.Status}. {check.Detail}");
        }

        WriteObject(result);
        if (!result.Passed)
        {
            WriteFailure(new MoltException("VerificationFailed", ErrorKind.InvalidData,
                $"{result.Path} did not pass: {string.Join("; ", result.Failed.Select(c => $"{c.Name}: {c.Detail}"))}.",
                "Do not rely on this backup. Use another copy or another backup, and make a new one.", result.Path));
        }
    }
}
