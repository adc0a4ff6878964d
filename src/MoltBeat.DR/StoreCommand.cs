using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR;

/// <summary>A cmdlet that works with stores: how they are named, and where backups are kept when nobody says.</summary>
public abstract class StoreCommand : MoltCommand
{
    private PlanInForce? plan;

    /// <summary>The plan's file. Without it MOLTBEAT_PLAN, then the machine's plan, then the user's, then the variables BACKUP_DIR, S3_BUCKET and their like.</summary>
    [Parameter]
    public string? PlanPath { get; set; }

    /// <summary>Settings for every S3 store that is named, as in @{ Endpoint = 'https://…'; Region = '…' }; what stands in a store's URI goes before.</summary>
    [Parameter]
    public Hashtable? StoreOption { get; set; }

    /// <summary>What is protected and where to; read once.</summary>
    /// <exception cref="MoltException">The plan's own errors.</exception>
    protected PlanInForce Plan => plan ??= SessionPlan.Locate(this, PlanPath);

    protected sealed override string? PlanFile => PlanPath;

    /// <summary>The stores that are named, by path, URI or their name in the plan; without a name all of the plan.</summary>
    protected IReadOnlyList<StoreSettings> StoresOf(IEnumerable<string>? names)
        => names?.Where(n => !string.IsNullOrEmpty(n)).ToList() is { Count: > 0 } given ? given.ConvertAll(StoreOf) : Plan.Plan.StoreSettings();

    /// <summary>A connection string as given, else of the plan's database that the function chooses; null leaves it to libpq's variables.</summary>
    protected string? UrlOf(string? given, Func<IReadOnlyList<PlannedDatabase>, PlannedDatabase?> choose)
        => given ?? (choose(Plan.Databases) is { } database ? SessionPlan.Secrets(this).Resolve(database.Url) : null);

    /// <summary>Reads a connection string, and what libpq's variables and files say where it is silent. A failure has been written then, and never with the string itself: it may hold a password.</summary>
    /// <param name="url">Gives the string: may ask a vault, and fail.</param>
    /// <param name="credential">Role and password, over what the string says.</param>
    /// <param name="connection">What it says.</param>
    protected bool TryParse(Func<string?> url, PSCredential? credential, [NotNullWhen(true)] out ConnectionSettings? connection)
    {
        try
        {
            connection = ConnectionSettings.Parse(url(), credential?.UserName, credential?.GetNetworkCredential().Password);
            return true;
        }
        catch (MoltException e)
        {
            WriteFailure(e, "DatabaseUrl");
            connection = null;
            return false;
        }
    }

    /// <summary>
    /// Whether this is the name of a database that the plan calls production. The server is not compared: one
    /// machine has many names, and the wrong guess would be the one that does harm.
    /// </summary>
    protected bool IsProduction(string database) => Plan.Databases.Where(d => d.Production).Any(planned =>
    {
        try
        {
            return planned.Name == database || ConnectionSettings.Parse(SessionPlan.Secrets(this).Resolve(planned.Url)).Database == database;
        }
        catch (MoltException)
        {
            // Its real name cannot be found out here: the one in the plan has to do.
            return false;
        }
    });

    /// <summary>A key as the engine takes it: files by their full paths, all else as it is.</summary>
    protected string KeyName(string key) => PlanKeys.IsFile(key) || File.Exists(Absolute(key)) ? Absolute(key) : key;

    /// <summary>Whether the text names one backup and not a store.</summary>
    protected bool IsItem(string text)
        => StoreSettings.IsUri(text) ? text.Split('?')[0] is var path && (path.EndsWith(".tar", StringComparison.Ordinal) || DumpCatalog.IsDumpName(path)) : File.Exists(Absolute(text)) || DumpSource.IsDirectory(Absolute(text));

    /// <summary>The store and the file name of one backup.</summary>
    /// <exception cref="MoltException"><c>BackupNotFound</c> when the path names a folder, <c>StoreInvalid</c>.</exception>
    protected (StoreSettings Store, string Name) ItemOf(string text)
    {
        var full = Absolute(text);
        if (!StoreSettings.IsUri(full) && Directory.Exists(full) && !DumpSource.IsDirectory(full))
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
        [MaybeNullWhen(false)] out T result, object? target = null)
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

    private StoreSettings StoreOf(string name)
    {
        if (!StoreSettings.IsUri(name) && name.AsSpan().IndexOfAny('/', '\\') < 0 && Plan.Plan.StoreSettings().FirstOrDefault(s => s.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } planned)
        {
            return planned;
        }

        var settings = StoreSettings.Parse(Absolute(name), Options());

        // A place that the plan knows has the plan's settings, however it is named.
        return Plan.Plan.StoreSettings().FirstOrDefault(s => s.Location == settings.Location && settings.SettingsAreDefault) ?? settings;
    }

    /// <summary>Relative paths are of the session's own location.</summary>
    /// <exception cref="MoltException"><c>StoreInvalid</c> for what looks like an address of something else.</exception>
    private string Absolute(string text)
    {
        if (StoreSettings.IsUri(text))
        {
            return text;
        }

        try
        {
            return GetUnresolvedProviderPathFromPSPath(text);
        }
        catch (Exception e) when (e is System.Management.Automation.DriveNotFoundException or ProviderNotFoundException)
        {
            throw new MoltException("StoreInvalid", ErrorKind.InvalidArgument, $"What stands before the colon is no drive: {e.Message}", "Name a folder, or a bucket as s3://bucket/prefix.", null, e);
        }
    }

    private Dictionary<string, string>? Options()
        => StoreOption?.Cast<DictionaryEntry>().ToDictionary(e => Convert.ToString(e.Key, CultureInfo.InvariantCulture)!, e => Convert.ToString(e.Value, CultureInfo.InvariantCulture) ?? "");
}
