using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR;

/// <summary>Shows the keys that backups are encrypted to: when each was last proven to be there, and when it expires.</summary>
[Cmdlet(VerbsCommon.Get, "MoltKey")]
[OutputType(typeof(RecipientStatus))]
public sealed class GetMoltKeyCommand : TrustCommand
{
    /// <summary>The stores whose backups are looked at: folders, and buckets as s3://bucket/prefix. Without it all stores of the plan.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string[]? Path { get; set; }

    /// <summary>Only keys of backups of these databases; wildcards are allowed.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    public string[]? Database { get; set; }

    protected override void ProcessRecord()
    {
        if (!TryGetTrust(out var trust))
        {
            return;
        }

        var unreadable = new List<MoltException>();
        try
        {
            var settings = StoresOf(Path);
            var planned = Plan.Plan.Recipients;
            var patterns = Database?.Select(d => new WildcardPattern(d, WildcardOptions.IgnoreCase)).ToList();
            if (RunOn(settings, ListAsync, out var keys, settings[0].Location))
            {
                unreadable.ForEach(e => WriteFailure(e));
                WriteObject(keys, enumerateCollection: true);
            }

            async Task<IReadOnlyList<RecipientStatus>> ListAsync(IReadOnlyList<Engine.Storage.IBackupStore> stores, IOperationObserver observer, CancellationToken token)
            {
                var backups = await new BackupCatalog(stores, trust).ListAsync(unreadable.Add, token).ConfigureAwait(false);
                return await KeyCustody.ListAsync(backups.FindAll(b => patterns is null || patterns.Exists(p => p.IsMatch(b.Database))), planned, new PublicKeys(), DateTimeOffset.UtcNow, token).ConfigureAwait(false);
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
        }
    }
}
