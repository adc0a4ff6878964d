using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Checks;
using MoltBeat.DR.Engine.Recovery.Replacement;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Dumps;

/// <summary>
/// Restores a dump of stock tools as an archive is restored: into a database under a name that nobody connects to, which gets
/// its own name once all is in. The dump is read to its end before anything is made.
/// </summary>
public sealed class DumpRestore
{
    private readonly RestoreOptions options;
    private readonly DumpSource source;
    private readonly DumpInfo info;
    private readonly IOperationObserver observer;
    private readonly List<RestoreStep> steps = [];

    private DumpRestore(RestoreOptions options, DumpSource source, DumpInfo info, IOperationObserver observer)
    {
        this.options = options;
        this.source = source;
        this.info = info;
        this.observer = observer;
    }

    /// <param name="source">The dump.</param>
    /// <param name="info">What is known of it from outside.</param>
    /// <param name="options">Where to, and how.</param>
    /// <param name="incomplete">Restore also what was cut short.</param>
    /// <param name="approve">Is asked once, when the plan is made; until it says yes nothing is changed anywhere.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="cancellationToken">Stops it; nothing of it is left then.</param>
    /// <returns>Null when it was not approved.</returns>
    /// <exception cref="MoltException">See docs/errors.md for the ids.</exception>
    public static async Task<RestoreResult?> RunAsync(DumpSource source, DumpInfo info, RestoreOptions options, bool incomplete, Func<RestorePlan, Task<bool>> approve, IOperationObserver observer, CancellationToken cancellationToken)
    {
        RestoreSession.Check(options);
        if (options.Tables.Count > 0)
        {
            throw new MoltException("DumpOptionInvalid", ErrorKind.InvalidArgument, $"{source.Location} is a dump of stock tools, out of which no single tables are restored.", "Leave -Table out, and drop what is not wanted; or use pg_restore --table by hand.", "Table");
        }

        return await new DumpRestore(options, source, info, observer).RunAsync(incomplete, approve, cancellationToken).ConfigureAwait(false);
    }

    private async Task<RestoreResult?> RunAsync(bool incomplete, Func<RestorePlan, Task<bool>> approve, CancellationToken cancellationToken)
    {
        foreach (var warning in options.Connection.Warnings)
        {
            observer.Warning(warning);
        }

        var (admin, server) = await MaintenanceSession.OpenAsync(options.Connection, options.TargetDatabase, "restore", cancellationToken).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        await using (admin.ConfigureAwait(false))
        {
            var clock = Stopwatch.StartNew();
            var tools = ClientTools.Find(server.Version.Major, options.ClientToolFolder);
            DumpFileName? file = null;
            try
            {
                var (scanner, properties) = await LookAsync(tools, cancellationToken).ConfigureAwait(false);
                if (source.Format != BackupFormat.Sql)
                {
                    file = await source.NameAsync(cancellationToken).ConfigureAwait(false);
                    properties = await DumpReader.PropertiesAsync(tools, file.Path, source.Location, observer, cancellationToken).ConfigureAwait(false);
                    scanner = await DumpReader.ScanArchiveAsync(tools, file.Path, source.Location, observer, n => Report("reading", n), cancellationToken).ConfigureAwait(false);
                }

                if (!scanner!.IsComplete && !incomplete)
                {
                    throw DumpErrors.Incomplete(source.Location);
                }

                var contents = await DumpContents.OfAsync(scanner, properties, info, admin, observer, cancellationToken).ConfigureAwait(false);
                var plan = await RestorePlan.ForDumpAsync(tools, DumpContents.ManifestOf(scanner, info, server), contents, server, admin, options, cancellationToken).ConfigureAwait(false);
                foreach (var check in plan.Checks.Where(c => c.Status == ReadinessStatus.Warning))
                {
                    observer.Warning($"{check.Name}: {check.Message}.{(check.Remedy is null ? "" : " " + check.Remedy)}");
                }

                if (!await approve(plan).ConfigureAwait(false))
                {
                    return null;
                }

                await DatabaseCatalog.ExecuteAsync(admin, "SET default_transaction_read_only = off", cancellationToken).ConfigureAwait(false);
                if (plan.Replaces)
                {
                    await ReplacementLock.TakeAsync(admin, options.TargetDatabase, cancellationToken).ConfigureAwait(false);
                }

                steps.Add(new RestoreStep("Preflight", clock.Elapsed));
                return await RestoreAsync(server, admin, plan, contents, scanner, file, clock, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Restoring {options.TargetDatabase}", options.TargetDatabase) is { } translated)
            {
                throw translated;
            }
            finally
            {
                if (file is not null)
                {
                    await file.DisposeAsync().ConfigureAwait(false);
                }
            }
        }
    }

    /// <summary>Reads SQL to its end before anything is made: that it is cut short, or hostile, is known then.</summary>
    /// <returns>No scanner when it is an archive of pg_dump's, which only opening it tells of one that is encrypted.</returns>
    private async Task<(DumpScanner? Scanner, DatabaseProperties? Properties)> LookAsync(ClientTools tools, CancellationToken cancellationToken)
    {
        if (source.Format != BackupFormat.Sql)
        {
            return (null, null);
        }

        var sql = await source.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (sql.ConfigureAwait(false))
        {
            if (source.Format != BackupFormat.Sql)
            {
                return (null, null);
            }

            PsqlLoad.CheckOptions(options, tools, source.Location);
            return (await DumpReader.ScanAsync(sql, source.Location, null, n => Report("reading", n), cancellationToken).ConfigureAwait(false), null);
        }
    }

    private async Task<RestoreResult> RestoreAsync(PinnedServer server, NpgsqlConnection admin, RestorePlan plan, Contents contents, DumpScanner scanner, DumpFileName? file, Stopwatch clock, CancellationToken cancellationToken)
    {
        var target = new TargetDatabase(server, options, plan.Properties, plan, observer);
        try
        {
            await target.CreateAsync(admin, cancellationToken).ConfigureAwait(false);
            DumpCount count;
            var work = server.WithDatabase(target.WorkName);
            await using (work.ConfigureAwait(false))
            {
                await StepAsync("Load", () => file is null
                    ? new PsqlLoad(plan.Tools, work, source, options, observer).RunAsync(scanner, cancellationToken)
                    : LoadArchiveAsync(plan.Tools, work, file, cancellationToken)).ConfigureAwait(false);
                count = await StepAsync("Statistics and counts", () => DumpCount.RunAsync(work, plan.Preflight.ServerVersion, contents, scanner, options, cancellationToken)).ConfigureAwait(false);
            }

            var replaced = await StepAsync("Name", () => target.PublishAsync(admin, info.Id, cancellationToken)).ConfigureAwait(false);
            return new RestoreResult
            {
                Replaced = replaced,
                Database = options.TargetDatabase,
                Server = server.Settings.WithDatabase(options.TargetDatabase).Describe(),
                BackupId = info.Id,
                Path = source.Location,
                StateOf = info.Created,
                Proof = options.SkipProof ? ProofStatus.Skipped : ProofStatus.Counted,
                Tables = count.Tables,
                NotCompared = count.NotCompared,
                RolesCreated = target.RolesMade,
                Steps = steps,
                Duration = clock.Elapsed,
            };
        }
        catch
        {
            await target.CleanUpAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task<bool> LoadArchiveAsync(ClientTools tools, PinnedServer work, DumpFileName file, CancellationToken cancellationToken)
    {
        var arguments = new List<string> { "--exit-on-error", "--no-password", "--dbname=" + work.ChildDatabase(), string.Create(CultureInfo.InvariantCulture, $"--jobs={options.Jobs}") };
        if (options.NoOwner)
        {
            arguments.AddRange(["--no-owner", "--no-acl"]);
        }

        if (options.NoTablespaces)
        {
            arguments.Add("--no-tablespaces");
        }

        arguments.Add(file.Path);
        try
        {
            observer.Progress(new OperationProgress($"Restoring {options.TargetDatabase}", "pg_restore is loading", null, null));
            var environment = work.ChildEnvironment("restore", SessionSettings.ChildOptions(work.Version.Major) + " -c synchronous_commit=off");
            await ChildProgram.CaptureAsync(tools.PgRestore, arguments, environment, observer, 1 << 20, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (MoltException e) when (e.Id == "ChildProgramFailed")
        {
            throw new MoltException("RestoreFailed", ErrorKind.Failed, $"Restoring {source.Location} failed: {e.Message}", "Mend what the statement named needs, and restore again; -KeepFailed leaves the half-made database to look at.", options.TargetDatabase, e);
        }
    }

    private async Task<T> StepAsync<T>(string name, Func<Task<T>> step)
    {
        var clock = Stopwatch.StartNew();
        var result = await step().ConfigureAwait(false);
        steps.Add(new RestoreStep(name, clock.Elapsed));
        return result;
    }

    private void Report(string doing, long bytes)
        => observer.Progress(new OperationProgress($"Restoring {options.TargetDatabase}", string.Create(CultureInfo.InvariantCulture, $"{doing}: {bytes / 1e6:N0} MB"), null, null));
}
