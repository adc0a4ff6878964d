using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Recovery.Dumps;

namespace MoltBeat.DR;

/// <summary>What a restore does when it is given a dump of stock tools in place of an archive.</summary>
public abstract class DumpRestoreCommand : RestoreCommand
{
    /// <summary>Whether -Path names a dump; what is wrong with it otherwise is told by whoever reads archives.</summary>
    private protected bool IsDump(out (StoreSettings Store, BackupInfo Backup) found)
    {
        found = default;
        try
        {
            var (store, name) = ItemOf(Path);
            if (name.EndsWith(".tar", StringComparison.Ordinal))
            {
                return false;
            }

            BackupInfo? backup = null;
            Wait(async token =>
            {
                using var open = Engine.Storage.BackupStores.Open(store, new Silence());
                backup = await DumpCatalog.ReadAsync(open, name, token).ConfigureAwait(false);
                return true;
            });
            found = (store, backup!);
            return backup is not null;
        }
        catch (MoltException)
        {
            return false;
        }
    }

    private protected void RestoreDump(AuditSubject subject, (StoreSettings Store, BackupInfo Backup) found, bool databaseOnly, bool force)
    {
        var (store, backup) = found;
        subject.In([store]).Backup = backup.Name;
        (subject.Database, subject.BackupId) = (backup.Database, backup.Id);
        if (!databaseOnly)
        {
            WriteFailure(new MoltException("DumpOptionInvalid", ErrorKind.InvalidArgument, $"{backup.Name} is a dump of stock tools, which holds a database and nothing beside it.", "Leave -Include out.", "Include"));
            return;
        }

        if (!TryGetAccess(out var access) || !TryGetOptions(backup, access, out var options))
        {
            return;
        }

        var where = options.Connection.WithDatabase(options.TargetDatabase).Describe();
        (subject.Target, subject.Server) = (options.TargetDatabase, where);
        if (!IsWhatIf && (Replace || IsProduction(options.TargetDatabase)) && !ConfirmByName(options.TargetDatabase,
            Replace ? $"This replaces the database {options.TargetDatabase} and ends all sessions in it." : $"This restores as {options.TargetDatabase}, which the plan calls a production database.", force))
        {
            return;
        }

        if (RunOn([store], async (stores, observer, token) =>
        {
            var source = await DumpCatalog.OpenAsync(stores[0], backup.Name, access.Opener, token).ConfigureAwait(false)
                ?? throw new MoltException("BackupNotFound", ErrorKind.NotFound, $"{backup.Path} is another file than a moment ago.", "List what is there with Get-MoltBackup.", backup.Path);
            await using (source.ConfigureAwait(false))
            {
                return await DumpRestore.RunAsync(source, new DumpInfo(backup.Id, backup.Database, backup.Created), options, force, plan => ConfirmAsync(observer,
                    $"{(Replace ? "" : "new ")}database {options.TargetDatabase} ({where})", $"{(Replace ? "Replace" : "Restore")} from {backup.Name}, state of {Time(backup)}: {plan}. Rows will be counted, and cannot be proven", null, token), observer, token).ConfigureAwait(false);
            }
        }, out var result, Path) && result is not null)
        {
            subject.IsDone = true;
            subject.Detail = result.Replaced is { } replaced ? $"replaced, kept as {replaced.KeptAs}" : subject.Detail;
            WriteObject(result);
        }
    }

    /// <summary>A look that is made twice says nothing the first time.</summary>
    private sealed class Silence : IOperationObserver
    {
        public void Verbose(string message)
        {
        }

        public void Warning(string message)
        {
        }

        public void Progress(OperationProgress progress)
        {
        }
    }
}
