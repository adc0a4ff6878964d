using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Application.Redis;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Recovery;

namespace MoltBeat.DR;

/// <summary>Restores a backup into a new database, and proves that it is all there; and what the backup holds beside it.</summary>
[Cmdlet(VerbsData.Restore, "MoltBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(RestoreResult), typeof(EnvironmentRestoreResult), typeof(FolderRestoreResult), typeof(RedisRestoreResult))]
public sealed class RestoreMoltBackupCommand : DumpRestoreCommand
{
    /// <summary>Do not compare the restored rows with the backup.</summary>
    [Parameter]
    public SwitchParameter SkipProof { get; set; }

    /// <summary>Leave the half-made database after a failure.</summary>
    [Parameter]
    public SwitchParameter KeepFailed { get; set; }

    /// <summary>Replace environment files and folders that are there; each is kept beside under another name. Together with -Confirm:$false: restore under the name of a production database without its name being typed.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>What to restore: exactly these. Without it the database alone.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public RestorePart[] Include { get; set; } = [RestorePart.Database];

    /// <summary>The folder that environment files go to.</summary>
    [Parameter]
    public string? EnvironmentPath { get; set; }

    /// <summary>Environment files go to where they were when the backup was made.</summary>
    [Parameter]
    public SwitchParameter EnvironmentInPlace { get; set; }

    /// <summary>The folder in which the backup's folders are made, each under its name.</summary>
    [Parameter]
    public string? FolderPath { get; set; }

    /// <summary>The Redis server that keys go to, in place of the plan's of the same name: redis://[user:password@]host[:port][/database], rediss:// for TLS, or a reference such as env:REDIS_URL. With a database only keys of that one.</summary>
    [Parameter]
    public string? RedisUrl { get; set; }

    /// <summary>Replace Redis keys that are there. Their values are lost.</summary>
    [Parameter]
    public SwitchParameter ReplaceKeys { get; set; }

    /// <summary>Restore although the server's disk is known to be too small for a second database.</summary>
    [Parameter]
    public SwitchParameter IgnoreDiskSpace { get; set; }

    private protected override bool SkipsProof => SkipProof;

    private protected override bool KeepsFailed => KeepFailed;

    private protected override bool IgnoresDiskSpace => IgnoreDiskSpace;

    protected override AuditAction? Audits => new("Restore", IsGuarded: true);

    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        try
        {
            CheckPlaces();
        }
        catch (MoltException e)
        {
            WriteFailure(e, nameof(Include));
        }
    }

    protected override void ProcessRecord() => Audited(Restore);

    private void Restore(AuditSubject subject)
    {
        if (IsDump(out var found))
        {
            RestoreDump(subject, found, Include is [RestorePart.Database], Force);
            return;
        }

        if (!TryFind(subject, out var backup, out var whole, out var access))
        {
            return;
        }

        // What stands in the way of anything is found before anything is done.
        var kinds = Kinds();
        IReadOnlyList<ExtraRestoreItem> extras = [];
        if (kinds.Count > 0)
        {
            if (!RunOn(StoresOf(whole), (stores, observer, token) => ExtrasOf(stores, whole, kinds, access, observer).PlanAsync(token), out var planned, Path))
            {
                return;
            }

            extras = planned;
        }

        var problems = extras.Select(i => i.Problem).OfType<MoltException>().ToList();
        problems.ForEach(p => WriteFailure(p));
        if (problems.Count > 0)
        {
            return;
        }

        RestoreOptions? database = null;
        if (Include.Contains(RestorePart.Database))
        {
            if (!TryGetOptions(backup, access, out database))
            {
                return;
            }
        }

        // All questions come first, too: nobody sits and waits for the second one while a database is loading.
        var chosen = extras.Where(i => Confirm(i.Target, $"{i.Action}; from {backup.Name}, state of {Time(backup)}")).ToList();
        if (database is not null && !RestoreDatabase(whole, backup, database, subject))
        {
            return;
        }

        if (chosen.Count > 0 && RunOn(StoresOf(whole), async (stores, observer, token) =>
        {
            var (done, failed) = (new List<ExtraRestoreResult>(), new List<MoltException>());
            await ExtrasOf(stores, whole, kinds, access, observer).RunAsync(chosen, done.Add, failed.Add, token).ConfigureAwait(false);
            return (done, failed);
        }, out var result, Path))
        {
            subject.IsDone |= result.failed.Count == 0;
            WriteObject(result.done, enumerateCollection: true);
            result.failed.ForEach(e => WriteFailure(e));
        }
    }

    private static ExtrasRestore ExtrasOf(IReadOnlyList<Engine.Storage.IBackupStore> stores, IReadOnlyList<(StoreSettings Store, string Name)> copies, IReadOnlyList<IExtraRestore> kinds, ArchiveAccess access, IOperationObserver observer)
        => new(stores.Zip(copies, (s, c) => (s, c.Name)).ToList(), kinds, observer, access);

    private void CheckPlaces()
    {
        Need(RestorePart.Environment, EnvironmentPath is not null || EnvironmentInPlace, "-EnvironmentPath or -EnvironmentInPlace");
        Need(RestorePart.Folders, FolderPath is not null, "-FolderPath");
        if (!Include.Contains(RestorePart.Redis) && (RedisUrl is not null || ReplaceKeys))
        {
            throw new MoltException("IncludeInvalid", ErrorKind.InvalidArgument, "-RedisUrl or -ReplaceKeys is given, and -Include does not name Redis: no key would be restored.", "Add Redis to -Include.", nameof(Include));
        }

        if (!Include.Contains(RestorePart.Database) && (Replace || InPlace))
        {
            throw new MoltException("IncludeInvalid", ErrorKind.InvalidArgument, "-Replace or -InPlace is given, and -Include does not name Database: no database would be replaced.", "Add Database to -Include.", nameof(Include));
        }

        if (EnvironmentPath is not null && EnvironmentInPlace)
        {
            throw new MoltException("IncludeInvalid", ErrorKind.InvalidArgument, "Environment files cannot go both to -EnvironmentPath and to where they were.", "Leave one of the two out.", nameof(EnvironmentInPlace));
        }
    }

    private void Need(RestorePart part, bool place, string parameter)
    {
        if (Include.Contains(part) != place)
        {
            throw new MoltException("IncludeInvalid", ErrorKind.InvalidArgument,
                place ? $"{parameter} is given, and -Include does not name {part}: nothing would be restored there." : $"-Include names {part}, and nothing says where to.",
                place ? $"Add {part} to -Include." : $"Give {parameter}.", nameof(Include));
        }
    }

    private List<IExtraRestore> Kinds()
    {
        var kinds = new List<IExtraRestore>();
        if (Include.Contains(RestorePart.Environment))
        {
            kinds.Add(new EnvironmentRestore(EnvironmentPath is null ? null : GetUnresolvedProviderPathFromPSPath(EnvironmentPath), Force));
        }

        if (Include.Contains(RestorePart.Folders))
        {
            kinds.Add(new FolderRestore(GetUnresolvedProviderPathFromPSPath(FolderPath), Force));
        }

        if (Include.Contains(RestorePart.Redis))
        {
            kinds.Add(new RedisRestore(RedisServers.Targets(this, RedisUrl, Plan.Plan.Redis)) { Replace = ReplaceKeys, SkipProof = SkipProof });
        }

        return kinds;
    }

    /// <returns>False when it failed; true also when the user did not want it.</returns>
    private bool RestoreDatabase(IReadOnlyList<(StoreSettings Store, string Name)> copies, BackupInfo backup, RestoreOptions options, AuditSubject subject)
    {
        var where = options.Connection.WithDatabase(options.TargetDatabase).Describe();
        (subject.Target, subject.Server) = (options.TargetDatabase, where);
        if (!IsWhatIf && (Replace || InPlace || IsProduction(options.TargetDatabase)) && !ConfirmByName(options.TargetDatabase,
            InPlace ? $"This drops everything in the database {options.TargetDatabase} and restores the backup into it." : Replace ? $"This replaces the database {options.TargetDatabase} and ends all sessions in it." : $"This restores as {options.TargetDatabase}, which the plan calls a production database.", Force))
        {
            return false;
        }

        WriteVerbose(string.Create(CultureInfo.InvariantCulture, $"Restoring {backup.Path} into {where} with {options.Jobs} jobs."));
        Task<bool> ApproveAsync(RestorePlan plan, IOperationObserver observer, CancellationToken token) => ConfirmAsync(observer,
            $"{(Replace || InPlace ? "" : "new ")}database {options.TargetDatabase} ({where})", $"{(Replace ? "Replace" : InPlace ? "Restore in place" : "Restore")} from {backup.Name}, state of {Time(backup)}: {plan}", null, token);

        if (RunOn(StoresOf(copies), (stores, observer, token) => RestoreOperation.RunAsync(stores.Zip(copies, (s, c) => (s, c.Name)).ToList(), options, plan => ApproveAsync(plan, observer, token), observer, token), out var result, Path))
        {
            if (result is not null)
            {
                subject.IsDone = true;
                subject.Detail = result.Replaced is { } replaced ? $"replaced, kept as {replaced.KeptAs}" : result.SafetyBackup is { } safety ? $"in place, what was before is in {safety}" : subject.Detail;
                WriteObject(result);
            }

            return true;
        }

        if (Include.Length > 1)
        {
            WriteWarning("The database could not be restored, so nothing else was touched.");
        }

        return false;
    }
}
