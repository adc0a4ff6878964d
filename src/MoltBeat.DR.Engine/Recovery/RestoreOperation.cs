using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Checks;
using MoltBeat.DR.Engine.Recovery.InPlace;
using MoltBeat.DR.Engine.Recovery.Replacement;
using MoltBeat.DR.Engine.Storage;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>
/// Restores a backup into a new database: schema, rows, indexes and keys, statistics, proof; and only then the name that was
/// asked for. A restore that fails leaves nothing, unless it is asked to.
/// </summary>
public sealed class RestoreOperation
{
    /// <summary>Errors that another copy of the same backup need not have.</summary>
    internal static readonly HashSet<string> FaultsOfACopy =
    [
        "ArchiveDamaged", "MemberTampered", "NotAnArchive", "SignatureMissing", "SignatureWrong", "SignerNotTrusted", "ArchiveRenamed", "BackupNotFound", "StoreNotFound", "StoreNotReadable", "StoreUnreachable", "StoreUnavailable", "StoreDenied", "StoreArchived", "StoreFailed",
        "StoreCredentialsMissing", "StoreCredentialsInvalid", "StoreCredentialsExpired", "StoreClockSkew", "StoreWrongRegion", "StoreCertificateInvalid",
    ];

    /// <summary>Raw bytes from which a table is emptied again to load its rows frozen; below, the new file would cost more.</summary>
    private const long WorthFreezing = 1 << 20;

    private readonly RestoreOptions options;
    private readonly IOperationObserver observer;
    private readonly ArchiveReader archive;
    private readonly Contents contents;
    private readonly RestorePlan plan;
    private readonly List<RestoreStep> steps = [];
    private List<string> leftOut = [];

    private RestoreOperation(RestoreOptions options, IOperationObserver observer, ArchiveReader archive, Contents contents, RestorePlan plan)
    {
        this.options = options;
        this.observer = observer;
        this.archive = archive;
        this.contents = contents;
        this.plan = plan;
    }

    /// <summary>Restores from the nearest copy that can be read whole.</summary>
    /// <param name="copies">The copies, the nearest first: the store and the file name in it.</param>
    /// <param name="options">Where to, and how.</param>
    /// <param name="approve">Is asked once, when the plan is made; until it says yes nothing is changed anywhere.</param>
    /// <param name="observer">Is told of the progress, and of copies that were no good.</param>
    /// <param name="cancellationToken">Stops it; nothing of it is left then.</param>
    /// <returns>Null when it was not approved.</returns>
    /// <exception cref="MoltException">See docs/errors.md for the ids.</exception>
    public static async Task<RestoreResult?> RunAsync(IReadOnlyList<(IBackupStore Store, string Name)> copies, RestoreOptions options, Func<RestorePlan, Task<bool>> approve, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var approved = false;
        async Task<bool> ApproveOnceAsync(RestorePlan plan) => approved = approved || await approve(plan).ConfigureAwait(false);
        return await FromNearestAsync(copies, (store, name) => RunAsync(store, name, options, ApproveOnceAsync, observer, cancellationToken), "Restoring from", observer).ConfigureAwait(false);
    }

    /// <summary>Looks at everything that can stand in the restore's way, and changes nothing.</summary>
    /// <param name="copies">The copies, the nearest first: the store and the file name in it.</param>
    /// <param name="options">Where to, and how.</param>
    /// <param name="observer">Is told of copies that were no good.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">Only what makes it impossible to look: the backup or the server cannot be read.</exception>
    public static Task<RestoreReadiness> TestAsync(IReadOnlyList<(IBackupStore Store, string Name)> copies, RestoreOptions options, IOperationObserver observer, CancellationToken cancellationToken)
        => FromNearestAsync(copies, (store, name) => RestoreSession.UseAsync(store, name, options, observer, async session =>
        {
            var report = new ReadinessReport();
            var (plan, found) = await RestorePlan.LookAsync(session.Archive, session.Contents, session.Server, session.Admin, options, report, cancellationToken).ConfigureAwait(false);
            return new RestoreReadiness
            {
                Database = options.TargetDatabase,
                DatabaseOid = found.Live?.Oid,
                Server = session.Server.Settings.WithDatabase(options.TargetDatabase).Describe(),
                ServerVersion = session.Server.Version.ToString(),
                SystemIdentifier = found.SystemIdentifier,
                BackupId = session.Archive.Manifest.Id,
                Path = session.Archive.Location,
                StateOf = session.Archive.Manifest.Created,
                Checks = report.Checks,
                Plan = plan,
            };
        }, cancellationToken), "Looking at", observer);

    private static async Task<T> FromNearestAsync<T>(IReadOnlyList<(IBackupStore Store, string Name)> copies, Func<IBackupStore, string, Task<T>> operation, string doing, IOperationObserver observer)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                return await operation(copies[i].Store, copies[i].Name).ConfigureAwait(false);
            }
            catch (MoltException e) when (i + 1 < copies.Count && FaultsOfACopy.Contains(e.Id))
            {
                observer.Warning($"{e.Message} {doing} the copy in {copies[i + 1].Store.Location} instead.");
            }
        }
    }

    /// <param name="store">Where the backup is.</param>
    /// <param name="name">Its file name.</param>
    /// <param name="options">Where to, and how.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="cancellationToken">Stops it; nothing of it is left then.</param>
    /// <exception cref="MoltException">See docs/errors.md for the ids.</exception>
    public static async Task<RestoreResult> RunAsync(IBackupStore store, string name, RestoreOptions options, IOperationObserver observer, CancellationToken cancellationToken)
        => (await RunAsync(store, name, options, _ => Task.FromResult(true), observer, cancellationToken).ConfigureAwait(false))!;

    private static Task<RestoreResult?> RunAsync(IBackupStore store, string name, RestoreOptions options, Func<RestorePlan, Task<bool>> approve, IOperationObserver observer, CancellationToken cancellationToken)
        => RestoreSession.UseAsync(store, name, options, observer, async session =>
        {
            var (archive, admin) = (session.Archive, session.Admin);
            var plan = await RestorePlan.MakeAsync(archive, session.Contents, session.Server, admin, options, cancellationToken).ConfigureAwait(false);
            foreach (var check in plan.Checks.Where(c => c.Status == ReadinessStatus.Warning))
            {
                observer.Warning($"{check.Name}: {check.Message}.{(check.Remedy is null ? "" : " " + check.Remedy)}");
            }

            if (!await approve(plan).ConfigureAwait(false))
            {
                return null;
            }

            await DatabaseCatalog.ExecuteAsync(admin, "SET default_transaction_read_only = off", cancellationToken).ConfigureAwait(false);
            if (plan.Replaces || options.InPlace)
            {
                await ReplacementLock.TakeAsync(admin, options.TargetDatabase, cancellationToken).ConfigureAwait(false);
            }

            var lease = await ReadLease.TakeAsync(store, name, archive.Manifest.Id, "restore", observer, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            await using (lease.ConfigureAwait(false))
            {
                if (options.InPlace)
                {
                    return await new InPlaceRestore(options, observer, session, plan).RunAsync(cancellationToken).ConfigureAwait(false);
                }

                return await new RestoreOperation(options, observer, archive, session.Contents, plan).RestoreAsync(session.Server, admin, cancellationToken).ConfigureAwait(false);
            }
        }, cancellationToken);

    private async Task<RestoreResult> RestoreAsync(PinnedServer server, NpgsqlConnection admin, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var (tools, chosen, serverVersion) = (plan.Tools, plan.Chosen, plan.Preflight.ServerVersion);
        var dump = await DumpFile.ExtractAsync(archive, cancellationToken, options.HasMemoryFiles).ConfigureAwait(false);
        await using (dump.ConfigureAwait(false))
        {
            var list = await DumpList.ReadAsync(tools, dump, observer, cancellationToken).ConfigureAwait(false);
            steps.Add(new RestoreStep("Preflight", plan.Took + clock.Elapsed));
            var target = new TargetDatabase(server, options, plan.Properties, plan, observer);
            try
            {
                await target.CreateAsync(admin, cancellationToken).ConfigureAwait(false);
                List<RestoredTable> tables;
                bool? largeObjects;
                var work = server.WithDatabase(target.WorkName);
                await using (work.ConfigureAwait(false))
                {
                    var pgRestore = new PgRestore(tools, work, dump, options, observer);
                    var rows = await FillAsync(work, pgRestore, list, chosen, serverVersion, cancellationToken).ConfigureAwait(false);
                    var proof = new RestoreProof(work, serverVersion, contents, options, observer);
                    tables = await StepAsync(options.SkipProof ? "Statistics" : "Statistics and proof", () => proof.RunAsync(rows, cancellationToken)).ConfigureAwait(false);
                    largeObjects = chosen is null ? await proof.LargeObjectsAsync(cancellationToken).ConfigureAwait(false) : null;
                }

                var replaced = await StepAsync(plan.Replaces ? "Replacement" : null, () => target.PublishAsync(admin, archive.Manifest.Id, cancellationToken)).ConfigureAwait(false);
                return new RestoreResult
                {
                    Replaced = replaced,
                    Database = options.TargetDatabase,
                    Server = server.Settings.WithDatabase(options.TargetDatabase).Describe(),
                    BackupId = archive.Manifest.Id,
                    Path = archive.Location,
                    StateOf = archive.Manifest.Created,
                    Proof = options.SkipProof ? ProofStatus.Skipped : ProofStatus.Proven,
                    Tables = tables,
                    LargeObjectsProven = largeObjects,
                    LeftOut = leftOut,
                    NotCompared = (chosen?.LeftToPgDump ?? contents.LeftToPgDump).Select(t => $"{t.Schema}.{t.Name}: {t.Reason}").ToList(),
                    RolesCreated = target.RolesMade,
                    Steps = steps,
                    Duration = plan.Took + clock.Elapsed,
                };
            }
            catch
            {
                await target.CleanUpAsync().ConfigureAwait(false);
                throw;
            }
        }
    }

    private async Task<IReadOnlyList<TableContents>> FillAsync(PinnedServer work, PgRestore pgRestore, DumpList list, ChosenTables? chosen, int serverVersion, CancellationToken cancellationToken)
    {
        await StepAsync("Schema", () => pgRestore.RunAsync("pre-data", 1, null, cancellationToken)).ConfigureAwait(false);
        var rows = (IReadOnlyList<TableContents>?)chosen?.Rows ?? contents.Tables;
        List<DumpEntry>? data = null;
        var post = list.Entries.ToList();
        if (chosen is not null)
        {
            var connection = await work.OpenAsync(new SessionOptions("restore").In(contents.Database.Encoding), cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(serverVersion, TimeSpan.Zero), cancellationToken).ConfigureAwait(false);
                await pgRestore.RunAsync("data", 1, ChosenTables.SequenceValues(list), cancellationToken).ConfigureAwait(false);
                await chosen.DropOthersAsync(connection, cancellationToken).ConfigureAwait(false);
                data = chosen.Data(list);
            }

            post = chosen.PostData(list, out leftOut);
        }

        var schedule = new LoadSchedule(rows, post, options.Jobs);
        var loaded = new LoadProgress(options.TargetDatabase, rows, observer);
        await StepAsync("Rows and large indexes", () => RunTogether.RunAsync(cancellationToken, stop =>
            Enumerable.Range(0, options.Jobs).Select(_ => Task.Run(() => LoadAsync(work, pgRestore, schedule, loaded, serverVersion, stop), stop))
                .Append(pgRestore.RunAsync("data", 1, data, stop)))).ConfigureAwait(false);
        observer.Progress(new OperationProgress($"Restoring {options.TargetDatabase}", "indexes, keys and triggers", null, null));
        await StepAsync("Indexes and keys", () => FinishAsync(pgRestore, post.Where(e => !schedule.Early.Contains(e)).ToList(), cancellationToken)).ConfigureAwait(false);
        return rows;
    }

    /// <summary>
    /// Indexes of partitions are attached one after another, and foreign keys come when all are: attached by several sessions at
    /// once it has been seen that the server left the index of the whole without its mark of being valid, and then took no foreign key to it.
    /// </summary>
    private async Task FinishAsync(PgRestore pgRestore, List<DumpEntry> post, CancellationToken cancellationToken)
    {
        const string Attach = "INDEX ATTACH";
        if (!post.Exists(e => e.Kind == Attach))
        {
            await pgRestore.RunAsync("post-data", options.Jobs, post, cancellationToken).ConfigureAwait(false);
            return;
        }

        // A comment may be on one of the keys.
        var last = post.Where(e => e.Kind is "FK CONSTRAINT" or "COMMENT").ToList();
        await pgRestore.RunAsync("post-data", options.Jobs, post.Where(e => e.Kind != Attach && !last.Contains(e)).ToList(), cancellationToken).ConfigureAwait(false);
        await pgRestore.RunAsync("post-data", 1, post.Where(e => e.Kind == Attach).ToList(), cancellationToken).ConfigureAwait(false);
        await pgRestore.RunAsync("post-data", options.Jobs, last, cancellationToken).ConfigureAwait(false);
    }

    private async Task LoadAsync(PinnedServer work, PgRestore pgRestore, LoadSchedule schedule, LoadProgress progress, int serverVersion, CancellationToken cancellationToken)
    {
        var connection = await work.OpenAsync(new SessionOptions("restore", WriteBufferBytes: 1 << 17).In(contents.Database.Encoding), cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(serverVersion, TimeSpan.Zero) + $" SET synchronous_commit = off; SET client_encoding = {SqlName.Literal(contents.Database.Encoding)};", cancellationToken).ConfigureAwait(false);
            var memory = await DatabaseCatalog.ScalarAsync<long>(connection, "SELECT setting::bigint * 1024 FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem'", cancellationToken).ConfigureAwait(false);
            while (await schedule.NextAsync(cancellationToken).ConfigureAwait(false) is { } step)
            {
                if (step.Entry is { } entry)
                {
                    await pgRestore.RunAsync("post-data", 1, [entry], cancellationToken, BuildSettings.For(step, memory, options.Jobs)).ConfigureAwait(false);
                }
                else
                {
                    await LoadPartsAsync(connection, step, progress, cancellationToken).ConfigureAwait(false);
                }

                schedule.Done(step);
            }
        }
    }

    private async Task LoadPartsAsync(NpgsqlConnection connection, LoadStep step, LoadProgress progress, CancellationToken cancellationToken)
    {
        // Rows that come frozen need not be touched again by the first reader, which would write every page a second time.
        // The server allows it where the transaction itself has emptied the table, so one worker must load all of it.
        var frozen = step.Whole && step.Table.RawBytes >= WorthFreezing;
        if (frozen)
        {
            await DatabaseCatalog.ExecuteAsync(connection, $"BEGIN; TRUNCATE ONLY {SqlName.QuoteIn(contents.Database.Encoding, step.Table.Schema, step.Table.Name)}", cancellationToken).ConfigureAwait(false);
        }

        foreach (var part in step.Parts)
        {
            await new PartLoader(archive, contents).LoadAsync(connection, step.Table, part, frozen, progress, cancellationToken).ConfigureAwait(false);
        }

        if (frozen)
        {
            await DatabaseCatalog.ExecuteAsync(connection, "COMMIT", cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task StepAsync(string name, Func<Task> step)
        => await StepAsync(name, async () =>
        {
            await step().ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);

    /// <param name="name">Null for a step that is too small to be told of.</param>
    /// <param name="step">The work.</param>
    private async Task<T> StepAsync<T>(string? name, Func<Task<T>> step)
    {
        if (name is null)
        {
            return await step().ConfigureAwait(false);
        }

        var clock = Stopwatch.StartNew();
        observer.Verbose($"{name} …");
        var result = await step().ConfigureAwait(false);
        steps.Add(new RestoreStep(name, clock.Elapsed));
        observer.Verbose(string.Create(CultureInfo.InvariantCulture, $"{name}: {clock.Elapsed.TotalSeconds:0.0} s"));
        return result;
    }
}
