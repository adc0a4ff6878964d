using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.InPlace;

/// <summary>
/// Replaces what a database holds within it, for servers on which databases cannot be made or renamed: all in one transaction of one
/// session, which is proven before it is committed. Slower than a restore beside, and nobody can work meanwhile; but whatever
/// dies, the server takes the transaction back.
/// </summary>
internal sealed class InPlaceRestore(RestoreOptions options, IOperationObserver observer, RestoreSession restore, RestorePlan plan)
{
    private readonly List<RestoreStep> steps = [];

    /// <exception cref="MoltException">As of a restore, with the backup of before in its message once there is one; <c>InPlaceInvalid</c>, <c>InPlaceUncertain</c>.</exception>
    public async Task<RestoreResult> RunAsync(CancellationToken cancellationToken)
    {
        var (archive, contents, server) = (restore.Archive, restore.Contents, restore.Server);
        if (archive.Manifest.Recipients.Count > 0 && options.SafetySeal is null)
        {
            throw new MoltException("InPlaceInvalid", ErrorKind.InvalidArgument, $"The backup is encrypted, and the one that is to be made of {options.TargetDatabase} before would not be.", "Name recipients in the plan.", options.TargetDatabase);
        }

        var clock = Stopwatch.StartNew();
        var dump = await DumpFile.ExtractAsync(archive, cancellationToken).ConfigureAwait(false);
        await using (dump.ConfigureAwait(false))
        {
            var list = await DumpList.ReadAsync(plan.Tools, dump, observer, cancellationToken).ConfigureAwait(false);
            var target = server.WithDatabase(options.TargetDatabase);
            await using (target.ConfigureAwait(false))
            {
                var session = await target.OpenAsync(new SessionOptions("restore", WriteBufferBytes: 1 << 17), cancellationToken).ConfigureAwait(false);
                await using (session.ConfigureAwait(false))
                {
                    await DatabaseCatalog.ExecuteAsync(session, SessionSettings.Pin(plan.Preflight.ServerVersion, TimeSpan.Zero) + " BEGIN", cancellationToken).ConfigureAwait(false);
                    await StepAsync("Locks", () => DatabaseClearing.LockAsync(session, cancellationToken)).ConfigureAwait(false);
                    var safety = "";
                    await StepAsync("Backup of before", async () => safety = await BackUpAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
                    List<RestoredTable> tables;
                    try
                    {
                        await RolesAsync(session, cancellationToken).ConfigureAwait(false);
                        tables = await FillAsync(session, dump, list, cancellationToken).ConfigureAwait(false);
                        cancellationToken.ThrowIfCancellationRequested();
                    }
                    catch (Exception e) when (!cancellationToken.IsCancellationRequested && (e as MoltException ?? ServerErrors.Translate(e, $"Restoring {options.TargetDatabase}", options.TargetDatabase)) is { } failure)
                    {
                        throw failure.And($"{options.TargetDatabase} is as it was: all of it was taken back. A backup of it is in {safety}.");
                    }

                    await CommitAsync(session, safety).ConfigureAwait(false);
                    return new RestoreResult
                    {
                        Database = options.TargetDatabase,
                        Server = target.Settings.Describe(),
                        BackupId = archive.Manifest.Id,
                        Path = archive.Location,
                        StateOf = archive.Manifest.Created,
                        Proof = ProofStatus.Proven,
                        Tables = tables,
                        LargeObjectsProven = contents.LargeObjects is null ? null : true,
                        NotCompared = contents.LeftToPgDump.Select(t => $"{t.Schema}.{t.Name}: {t.Reason}").ToList(),
                        RolesCreated = plan.RolesToCreate,
                        SafetyBackup = safety,
                        Steps = steps,
                        Duration = plan.Took + clock.Elapsed,
                    };
                }
            }
        }
    }

    private async Task<string> BackUpAsync(CancellationToken cancellationToken)
    {
        var problems = new List<MoltException>();
        var made = await BackupOperation.RunAsync(new BackupOptions
        {
            Connection = options.Connection.WithDatabase(options.TargetDatabase),
            Destinations = [options.SafetyStore!],
            Seal = options.SafetySeal,
            Jobs = options.Jobs,
            ClientToolFolder = options.ClientToolFolder,
        }, observer, problems.Add, cancellationToken).ConfigureAwait(false);
        return problems.Count > 0 ? throw problems[0] : made.Path;
    }

    private async Task RolesAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        foreach (var statement in plan.RoleStatements)
        {
            try
            {
                await DatabaseCatalog.ExecuteAsync(session, statement, cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException e)
            {
                // Not the statement: it may hold the role's password hash.
                throw new MoltException("CreateRolesFailed", ErrorKind.Failed, $"Roles could not be made: {e.MessageText}.", "Restore as a superuser, or create the roles by hand.", plan.RolesToCreate, e);
            }
        }
    }

    private async Task<List<RestoredTable>> FillAsync(NpgsqlConnection session, DumpFile dump, DumpList list, CancellationToken cancellationToken)
    {
        var (archive, contents) = (restore.Archive, restore.Contents);
        await StepAsync("Clearing", () => DatabaseClearing.ClearAsync(session, cancellationToken)).ConfigureAwait(false);
        var extensions = (await DatabaseCatalog.ExtensionsAsync(session, cancellationToken).ConfigureAwait(false)).Select(e => e.Name).ToHashSet(StringComparer.Ordinal);
        var schemas = new HashSet<string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(session, "SELECT nspname::text FROM pg_catalog.pg_namespace", row => schemas.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);

        // What has stayed is not made again: "- name" is how the list gives an extension's name, "- name owner" a schema's.
        bool Stayed(DumpEntry entry) => entry.Kind switch
        {
            "EXTENSION" => extensions.Contains(entry.Rest.Split(' ')[1]),
            "COMMENT" => entry.Rest.StartsWith("- EXTENSION ", StringComparison.Ordinal) && extensions.Contains(entry.Rest.Split(' ')[2].Trim('"')),
            "SCHEMA" => schemas.Contains(entry.Rest[2..entry.Rest.LastIndexOf(' ')]) && entry.Rest[2..entry.Rest.LastIndexOf(' ')] != "public",
            _ => false,
        };
        var entries = list.Entries.Where(e => !Stayed(e)).ToList();
        var script = new RestoreScript(plan.Tools, dump, options, observer);
        await StepAsync("Schema", () => script.RunAsync(session, "pre-data", entries, cancellationToken)).ConfigureAwait(false);
        await StepAsync("Rows", async () =>
        {
            await PinAsync(session, cancellationToken).ConfigureAwait(false);
            var loader = new PartLoader(archive, contents);
            var progress = new LoadProgress(options.TargetDatabase, contents.Tables, observer);
            foreach (var table in contents.Tables)
            {
                foreach (var part in table.Parts)
                {
                    await loader.LoadAsync(session, table, part, false, progress, cancellationToken).ConfigureAwait(false);
                }
            }

            await script.RunAsync(session, "data", entries, cancellationToken).ConfigureAwait(false);
        }).ConfigureAwait(false);
        await StepAsync("Indexes and keys", () => script.RunAsync(session, "post-data", entries, cancellationToken)).ConfigureAwait(false);
        List<RestoredTable> tables = [];
        await StepAsync("Statistics and proof", async () =>
        {
            // The script has settings of its own.
            await PinAsync(session, cancellationToken).ConfigureAwait(false);
            tables = await new RestoreProof(restore.Server, plan.Preflight.ServerVersion, contents, options, observer).RunWithinAsync(session, contents.Tables, cancellationToken).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return tables;
    }

    private Task PinAsync(NpgsqlConnection session, CancellationToken cancellationToken)
        => DatabaseCatalog.ExecuteAsync(session, SessionSettings.Pin(plan.Preflight.ServerVersion, TimeSpan.Zero), cancellationToken);

    private async Task CommitAsync(NpgsqlConnection session, string safety)
    {
        try
        {
            // Not to be stopped within: whether it has come to pass must be known. Deferred constraints are checked here.
            await DatabaseCatalog.ExecuteAsync(session, "SET synchronous_commit = on; COMMIT", CancellationToken.None).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState[..2] is "23" or "53" or "40")
        {
            throw new MoltException("RestoreFailed", ErrorKind.Failed, $"The server did not commit: {e.MessageText}. {options.TargetDatabase} is as it was. A backup of it is in {safety}.", "Mend what the message names, and restore again.", options.TargetDatabase, e);
        }
        catch (Exception e) when (e is NpgsqlException or IOException)
        {
            throw new MoltException("InPlaceUncertain", ErrorKind.ConnectionFailed,
                $"The connection broke while {options.TargetDatabase} was committed ({e.Message.TrimEnd('.')}): it holds what it did before, or what was restored, whole. A backup of what it held before is in {safety}.",
                $"Look which it is. What was before comes back with: Restore-MoltBackup '{safety}' -DatabaseUrl … -InPlace.", options.TargetDatabase, e);
        }
    }

    private async Task StepAsync(string name, Func<Task> step)
    {
        var clock = Stopwatch.StartNew();
        observer.Verbose($"{name} …");
        await step().ConfigureAwait(false);
        steps.Add(new RestoreStep(name, clock.Elapsed));
        observer.Verbose(string.Create(CultureInfo.InvariantCulture, $"{name}: {clock.Elapsed.TotalSeconds:0.0} s"));
    }
}
