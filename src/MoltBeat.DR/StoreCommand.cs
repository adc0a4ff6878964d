using System.Collections;
using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR;

/// <summary>A cmdlet that works with stores: how they are named, and where backups are kept when nobody says.</summary>
public abstract class StoreCommand : MoltCommand
{
    private const string DefaultFolder = "/var/backups/moltbeat";

    /// <summary>Settings for every S3 store that is named, as in @{ Endpoint = 'https://…'; Region = '…' }; what stands in a store's URI goes before.</summary>
    [Parameter]
    public Hashtable? StoreOption { get; set; }

    /// <summary>The stores that are named; without a name BACKUP_DIR, then /var/backups/moltbeat.</summary>
    protected IReadOnlyList<StoreSettings> StoresOf(IEnumerable<string>? names)
    {
        var chosen = names?.Where(n => !string.IsNullOrEmpty(n)).ToList() is { Count: > 0 } given ? given
            : [Environment.GetEnvironmentVariable("BACKUP_DIR") is { Length: > 0 } variable ? variable : DefaultFolder];
        return chosen.ConvertAll(n => StoreSettings.Parse(Absolute(n), Options()));
    }

    /// <summary>Whether the text names one backup and not a store.</summary>
    protected bool IsItem(string text)
        => StoreSettings.IsUri(text) ? text.Split('?')[0].EndsWith(".tar", StringComparison.Ordinal) : File.Exists(Absolute(text));

    /// <summary>The store and the file name of one backup.</summary>
    /// <exception cref="MoltException"><c>BackupNotFound</c> when the path names a folder, <c>StoreInvalid</c>.</exception>
    protected (StoreSettings Store, string Name) ItemOf(string text)
    {
        var full = Absolute(text);
        if (!StoreSettings.IsUri(full) && Directory.Exists(full))
        {
            throw new MoltException("BackupNotFound", ErrorKind.NotFound, $"{full} is a folder, not a backup.", $"Choose one from it: Get-MoltBackup -Path '{full}' -Latest.", full);
        }

        return StoreSettings.ParseItem(full, Options());
    }

    /// <summary>All copies of a backup: the one that is named, or those that Get-MoltBackup's object brings along, the nearest first.</summary>
    protected IReadOnlyList<(StoreSettings Store, string Name)> CopiesOf(string path, IReadOnlyList<BackupLocation>? locations)
        => locations is { Count: > 0 } ? locations.Select(l => ItemOf(l.Path)).ToList() : [ItemOf(path)];

    /// <summary>Runs an operation on stores that are open for as long as it runs.</summary>
    protected bool RunOn<T>(IReadOnlyList<StoreSettings> settings, Func<IReadOnlyList<IBackupStore>, IOperationObserver, CancellationToken, Task<T>> operation,
        [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out T result, object? target = null)
        => Run(async (observer, token) =>
        {
            var stores = new List<IBackupStore>();
            try
            {
                stores.AddRange(settings.Select(s => BackupStores.Open(s, observer)));
                return await operation(stores, observer, token).ConfigureAwait(false);
            }
            finally
            {
                stores.ForEach(s => s.Dispose());
            }
        }, out result, target);

    /// <summary>Relative paths are of the session's own location.</summary>
    private string Absolute(string text) => StoreSettings.IsUri(text) ? text : GetUnresolvedProviderPathFromPSPath(text);

    private Dictionary<string, string>? Options()
        => StoreOption?.Cast<DictionaryEntry>().ToDictionary(e => Convert.ToString(e.Key, CultureInfo.InvariantCulture)!, e => Convert.ToString(e.Value, CultureInfo.InvariantCulture) ?? "");
}
