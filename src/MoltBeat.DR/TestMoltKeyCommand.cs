using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR;

/// <summary>Proves that a private key still opens backups, and keeps the proof beside them.</summary>
[Cmdlet(VerbsDiagnostic.Test, "MoltKey")]
[OutputType(typeof(KeyProofResult))]
public sealed class TestMoltKeyCommand : KeyCommand
{
    /// <summary>The archive; Get-MoltBackup's objects bind here.</summary>
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    /// <summary>All copies, as Get-MoltBackup's objects bring them along: the nearest is read.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public BackupLocation[]? Locations { get; set; }

    protected override AuditAction? Audits => new("ProveKey", IsGuarded: false);

    protected override void ProcessRecord() => Audited(subject =>
    {
        try
        {
            var (store, name) = CopiesOf(Path, Locations)[0];
            subject.In(store).Backup = name;
            if (TryGetAccess(out var access)
                && access.Opener is IKeyProver keys
                && RunOn([store], (stores, _, token) => KeyProofOperation.RunAsync(stores[0], name, keys, access, token), out var results, store.ItemLocation(name)))
            {
                var proven = results.Where(r => r.Proven).ToList();
                (subject.Database, subject.BackupId, subject.Detail, subject.IsDone) = (results[0].Database, results[0].BackupId, string.Join(", ", proven.Select(r => r.Fingerprint)), true);
                foreach (var other in results.Where(r => !r.Proven))
                {
                    WriteVerbose($"{other.Fingerprint}: {other.Detail}");
                }

                proven.ForEach(WriteObject);
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
        }
    });
}
