using System.Globalization;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Checks;
using MoltBeat.DR.Engine.Recovery.Replacement;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>The server stands, and what its database holds is damaged or gone: the newest good backup takes its place; what was there is kept.</summary>
/// <param name="options">What, from where.</param>
/// <param name="incident">Remembers what was chosen; null for a preview.</param>
/// <param name="observer">Is told of the progress.</param>
internal sealed class DatabaseCorruption(RunbookOptions options, Incident? incident, IOperationObserver observer)
{
    /// <summary>Backups that are tried, from the newest on, before it is given up: a damaged store must not use up the whole time.</summary>
    private const int MostTried = 10;

    private static readonly TimeSpan s_clocks = TimeSpan.FromMinutes(5);

    private string Database => options.Connection.Database;

    private IncidentRecord Record => incident!.Record;

    public IReadOnlyList<RunbookAction> Steps() =>
    [
        new("FindBackup", DescribeBackupAsync, FindBackupAsync),
        new("Preflight", _ => Text($"Look at everything that can stand in the way of putting a restored database in the place of {Database} on {options.Connection.Describe()}"), PreflightAsync),
        new("StopApplication", _ => Text(options.Plan.Hooks.Stop.Count > 0 ? $"Stop the application: {HookRunner.Describe(options.Plan.Hooks.Stop, "stop")}" : "The plan does not say how the application is stopped (hooks.stop). The replacement ends its sessions"), StopAsync, Asks: options.Plan.Hooks.Stop.Count > 0),
        new("Replace", _ => Text($"Restore the backup beside {Database}, prove it, end all sessions, and give it the name {Database}. The present database is kept under another name; Undo-MoltRestore brings it back"), ReplaceAsync, Asks: true),
        new("Prove", _ => Text($"See that {Database} is the restored database and answers"), ProveAsync),
        new("StartApplication", _ => Text(options.Plan.Hooks.Start.Count > 0 ? $"Start the application: {HookRunner.Describe(options.Plan.Hooks.Start, "start")}" : "The plan does not say how the application is started (hooks.start)"), StartAsync),
        new("WaitForHealth", _ => Text(options.Plan.Hooks.Health is { } health ? string.Create(CultureInfo.InvariantCulture, $"Wait until {health.Url} says that the application works, for {health.Timeout.TotalSeconds:0.#} s at most") : "The plan does not say how it is seen that the application works (hooks.health)"), HealthAsync),
        new("Report", _ => Text($"Write the report, and tell all who were told that it is over. Told as it goes on: {EscalationClock.Describe(options.Plan)}"), _ => Done(null)),
    ];

    private async Task<string> DescribeBackupAsync(CancellationToken cancellationToken)
    {
        var places = string.Join(", ", options.Stores.Select(s => s.Location));
        var newest = options.Preview ? (await CandidatesAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault() : null;
        return $"Find the newest good backup of {options.BackedUpAs}{(options.Before is { } before ? $" of before {Time(before)}" : "")} in {places}, and verify every row of it"
            + (newest is not null ? $". The newest is {newest.Name} in {newest.Locations[0].Store}, state of {Time(newest.Created)}, last verified: {newest.Verified}" : options.Preview ? ". There is none now" : "");
    }

    private async Task<string?> FindBackupAsync(CancellationToken cancellationToken)
    {
        var passed = new List<string>();
        foreach (var backup in (await CandidatesAsync(cancellationToken).ConfigureAwait(false)).Take(MostTried))
        {
            foreach (var location in backup.Locations)
            {
                if (await FlawAsync(StoreOf(location.Store), backup, cancellationToken).ConfigureAwait(false) is not { } flaw)
                {
                    incident!.Update(r => r with { Backup = new IncidentBackup(backup.Id, backup.Name, backup.Created, location.Store) });
                    return $"{backup.Name} in {location.Store}, state of {Time(backup.Created)}: every row is as it was backed up" + (passed.Count > 0 ? $". Passed over: {string.Join("; ", passed)}" : "");
                }

                passed.Add($"{location.Path}: {flaw}");
                observer.Warning($"{location.Path} is no good: {flaw}");
                incident!.Note($"{location.Path} is no good: {flaw}");
            }
        }

        throw new MoltException("NoGoodBackup", ErrorKind.NotFound, $"There is no good backup of {options.BackedUpAs}{(options.Before is { } time ? $" of before {Time(time)}" : "")} in {string.Join(", ", options.Stores.Select(s => s.Location))}."
            + (passed.Count > 0 ? $" Tried: {string.Join("; ", passed)}." : ""), "Name further stores with -Store, give the private key with -KeyFile, or look what there is: Get-MoltBackup.", options.BackedUpAs);
    }

    private async Task<IReadOnlyList<BackupInfo>> CandidatesAsync(CancellationToken cancellationToken)
        => [.. (await new BackupCatalog(options.Stores, options.Access).ListAsync(e => observer.Warning(e.Message), cancellationToken).ConfigureAwait(false))
            .Where(b => b.Database == options.BackedUpAs && (options.Before is null || b.Created < options.Before))];

    /// <returns>Why a copy cannot be used; null when it can.</returns>
    private async Task<string?> FlawAsync(IBackupStore store, BackupInfo backup, CancellationToken cancellationToken)
    {
        try
        {
            var result = await VerificationOperation.RunAsync(store, backup.Name, new VerificationOptions { Level = VerificationLevel.Full, Access = options.Access, Jobs = options.Jobs, ClientToolFolder = options.ClientToolFolder }, observer, cancellationToken).ConfigureAwait(false);
            return result.Passed ? null : string.Join("; ", result.Failed.Select(c => $"{c.Name}: {c.Detail}"));
        }
        catch (MoltException e)
        {
            return e.Message;
        }
    }

    private async Task<string?> PreflightAsync(CancellationToken cancellationToken)
    {
        var readiness = await LookAsync(replace: true, cancellationToken).ConfigureAwait(false);
        if (readiness.DatabaseOid is null)
        {
            incident!.Update(r => r with { IsMissing = true });
            readiness = await LookAsync(replace: false, cancellationToken).ConfigureAwait(false);
        }

        foreach (var warning in readiness.Warnings)
        {
            observer.Warning($"{warning.Name}: {warning.Message}.");
            incident!.Note($"{warning.Name}: {warning.Message}");
        }

        return readiness.Go
            ? $"{readiness.Server}, PostgreSQL {readiness.ServerVersion}, system identifier {readiness.SystemIdentifier ?? "not known"}: {readiness.Plan}"
            : throw new MoltException("RecoveryNotPossible", ErrorKind.Failed, $"The backup cannot be restored there: {string.Join("; ", readiness.Failed.Select(c => c.Message))}. Nothing was changed.",
                string.Join(" ", readiness.Failed.Select(c => c.Remedy).OfType<string>().Distinct()) is { Length: > 0 } remedies ? remedies : "See the message.", Database);
    }

    private Task<RestoreReadiness> LookAsync(bool replace, CancellationToken cancellationToken)
        => RestoreOperation.TestAsync([(StoreOf(Record.Backup!.Store), Record.Backup.Name)], Options(replace), observer, cancellationToken);

    private async Task<string?> StopAsync(CancellationToken cancellationToken)
    {
        if (options.Plan.Hooks.Stop.Count == 0)
        {
            return null;
        }

        await HookRunner.RunAsync(options.Plan.Hooks.Stop, "stop", incident!.Folder, cancellationToken).ConfigureAwait(false);
        return $"stopped: {HookRunner.Describe(options.Plan.Hooks.Stop, "stop")}";
    }

    private async Task<string?> ReplaceAsync(CancellationToken cancellationToken)
    {
        if (await ReplacedAlreadyAsync(cancellationToken).ConfigureAwait(false) is { } already)
        {
            return already;
        }

        var result = (await RestoreOperation.RunAsync([(StoreOf(Record.Backup!.Store), Record.Backup.Name)], Options(!Record.IsMissing), _ => Task.FromResult(true), observer, cancellationToken).ConfigureAwait(false))!;
        return string.Create(CultureInfo.InvariantCulture, $"{result.Database} has the state of {Time(result.StateOf)}: {result.Tables.Count} tables, {result.Rows:N0} rows, {(result.Proof == ProofStatus.Proven ? "proven" : "not proven")}")
            + (result.Replaced is { } replaced ? string.Create(CultureInfo.InvariantCulture, $". The database of before is kept as {replaced.KeptAs}; {replaced.SessionsEnded.Count} sessions were ended, and nobody could connect for {replaced.Interruption.TotalSeconds:0.0} s") : ". There was none of this name before");
    }

    /// <summary>A crash may have come between the change of the names and its checkpoint: the server itself says whether it came to pass.</summary>
    private async Task<string?> ReplacedAlreadyAsync(CancellationToken cancellationToken)
    {
        if (Record.IsMissing)
        {
            return (await LookAsync(replace: true, cancellationToken).ConfigureAwait(false)).DatabaseOid is null ? null : $"{Database} is there: it was restored before the recovery was taken up again";
        }

        var previous = await PreviousRemoval.ListAsync(options.Connection, cancellationToken).ConfigureAwait(false);
        return previous.FirstOrDefault(p => p.BackupId == Record.Backup!.Id && p.Replaced > Record.Started - s_clocks) is { } kept
            ? $"{Database} was replaced at {Time(kept.Replaced)}, before the recovery was taken up again. The database of before is kept as {kept.Name}" : null;
    }

    private async Task<string?> ProveAsync(CancellationToken cancellationToken)
    {
        var (session, server) = await ServerConnector.OpenAsync(options.Connection, new SessionOptions("recovery"), cancellationToken).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        await using (session.ConfigureAwait(false))
        {
            if (await DatabaseCatalog.ScalarAsync<bool>(session, "SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false))
            {
                throw new MoltException("RecoveryNotProven", ErrorKind.Failed, $"{options.Connection.Describe()} answers, and is a standby that takes no changes.", "Find out which server the application is to use.", Database);
            }

            var backup = await new BackupCatalog(StoreOf(Record.Backup!.Store), options.Access).ReadAsync(Record.Backup.Name, cancellationToken).ConfigureAwait(false);
            var tables = await DatabaseCatalog.ScalarAsync<long>(session, "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'", cancellationToken).ConfigureAwait(false);
            return tables >= Math.Min(backup.Tables, 1)
                ? string.Create(CultureInfo.InvariantCulture, $"{options.Connection.Describe()} answers, with {tables} tables; every restored row was counted and digested before it got its name")
                : throw new MoltException("RecoveryNotProven", ErrorKind.Failed, $"{options.Connection.Describe()} answers, and has no tables.", "Find out who else works on this server; the backup is as good as before.", Database);
        }
    }

    private async Task<string?> StartAsync(CancellationToken cancellationToken)
    {
        if (options.Plan.Hooks.Start.Count == 0)
        {
            return null;
        }

        await HookRunner.RunAsync(options.Plan.Hooks.Start, "start", incident!.Folder, cancellationToken).ConfigureAwait(false);
        return $"started: {HookRunner.Describe(options.Plan.Hooks.Start, "start")}";
    }

    private async Task<string?> HealthAsync(CancellationToken cancellationToken)
        => options.Plan.Hooks.Health is { } health ? await ApplicationHealth.WaitAsync(health, cancellationToken).ConfigureAwait(false) : null;

    private RestoreOptions Options(bool replace) => new()
    {
        Connection = options.Connection,
        TargetDatabase = Database,
        Replace = replace,
        Access = options.Access,
        Jobs = options.Jobs,
        ClientToolFolder = options.ClientToolFolder,
    };

    private IBackupStore StoreOf(string name) => options.Stores.FirstOrDefault(s => s.Settings.Name == name)
        ?? throw new MoltException("StoreNotFound", ErrorKind.NotFound, $"The store {name} that the recovery was begun with is not among those that are named now.", "Give the same -Store, or the same plan.", name);

    private static Task<string> Text(string text) => Task.FromResult(text);

    private static Task<string?> Done(string? text) => Task.FromResult(text);

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
