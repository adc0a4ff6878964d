using System.Management.Automation;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;

namespace MoltBeat.DR;

/// <summary>Lists backups, newest first. Reads only their manifests.</summary>
[Cmdlet(VerbsCommon.Get, "MoltBackup")]
[OutputType(typeof(BackupInfo))]
public sealed class GetMoltBackupCommand : TrustCommand
{
    /// <summary>The stores, the nearest first: folders, and buckets as s3://bucket/prefix; or backups in them. Without it all stores of the plan.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string[]? Path { get; set; }

    /// <summary>Only backups of these databases; wildcards are allowed.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    public string[]? Database { get; set; }

    /// <summary>Only these backups, by id or the beginning of it.</summary>
    [Parameter]
    public string[]? Id { get; set; }

    /// <summary>Only these kinds.</summary>
    [Parameter]
    public BackupKind[]? Kind { get; set; }

    /// <summary>Only backups whose snapshot was taken before this moment, for example 2026-01-31T12:00Z.</summary>
    [Parameter]
    [UtcTime]
    public DateTimeOffset? Before { get; set; }

    /// <summary>Only backups whose snapshot was taken at this moment or after it.</summary>
    [Parameter]
    [UtcTime]
    public DateTimeOffset? After { get; set; }

    /// <summary>Only the newest one of each database, of those that the other parameters leave.</summary>
    [Parameter]
    public SwitchParameter Latest { get; set; }

    protected override void ProcessRecord()
    {
        var backups = new List<BackupInfo>();
        var unreadable = new List<Engine.MoltException>();
        if (!TryGetTrust(out var trust))
        {
            return;
        }

        try
        {
            var items = (Path ?? []).Where(IsItem).ToList();
            foreach (var (store, name) in items.Select(ItemOf))
            {
                if (RunOn([store], async (stores, _, token) => await DumpCatalog.ReadAsync(stores[0], name, token).ConfigureAwait(false) ?? await new BackupCatalog(stores, trust).ReadAsync(name, token).ConfigureAwait(false), out var one, name))
                {
                    backups.Add(one);
                }
            }

            if (items.Count == 0 || items.Count < Path!.Length)
            {
                var all = StoresOf(Path?.Except(items));
                if (!RunOn(all, async (stores, _, token) =>
                {
                    var archives = await new BackupCatalog(stores, trust).ListAsync(unreadable.Add, token).ConfigureAwait(false);
                    archives.AddRange(await DumpCatalog.ListAsync(stores, unreadable.Add, token).ConfigureAwait(false));
                    return archives.OrderByDescending(b => b.Created).ToList();
                }, out var listed, all[0].Location))
                {
                    return;
                }

                backups.AddRange(listed);
            }
        }
        catch (Engine.MoltException e)
        {
            WriteFailure(e, Path);
            return;
        }

        unreadable.ForEach(e => WriteFailure(e));
        var patterns = Database?.Select(d => new WildcardPattern(d, WildcardOptions.IgnoreCase)).ToList();
        var chosen = backups.Where(b => (patterns is null || patterns.Exists(p => p.IsMatch(b.Database)))
            && (Id is null || Id.Any(i => i.Length > 0 && b.Id.StartsWith(i, StringComparison.OrdinalIgnoreCase)))
            && (Kind is null || Kind.Contains(b.Kind))
            && (Before is null || b.Created < Before)
            && (After is null || b.Created >= After));
        if (Latest)
        {
            chosen = chosen.GroupBy(b => b.Database, StringComparer.Ordinal).Select(g => g.First());
        }

        foreach (var backup in chosen)
        {
            if (backup.Created > DateTimeOffset.UtcNow + BackupCatalog.ClockTolerance)
            {
                WriteWarning($"{backup.Name} is dated in the future: a clock was wrong when it was made, or is now.");
            }

            WriteObject(backup);
        }
    }
}
