using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>
/// Puts single rows of a backup back into the database that lost them, with all that they need. One session, one transaction: the database is
/// as it was before, or has all of the rows; and whenever it has, there is a file that takes them out again.
/// </summary>
public sealed class RowRestoreOperation
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(30);

    private readonly RowRestoreOptions options;
    private readonly IOperationObserver observer;
    private readonly ArchiveReader archive;
    private readonly Contents contents;
    private readonly RowSession session;

    private RowRestoreOperation(RowRestoreOptions options, IOperationObserver observer, ArchiveReader archive, Contents contents, RowSession session)
    {
        this.options = options;
        this.observer = observer;
        this.archive = archive;
        this.contents = contents;
        this.session = session;
    }

    /// <summary>Restores from the nearest copy that can be read.</summary>
    /// <param name="copies">The copies, the nearest first: the store and the file name in it.</param>
    /// <param name="options">What to restore, and where to.</param>
    /// <param name="approve">Is asked once, when all is counted; until it says yes only temporary tables are written.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="cancellationToken">Stops it; nothing is restored then.</param>
    /// <returns>A table each; with <see cref="RestoredRows.IsDone"/> false when it was not approved, or there was nothing to do.</returns>
    /// <exception cref="MoltException">See docs/errors.md for the ids.</exception>
    public static async Task<IReadOnlyList<RestoredRows>> RunAsync(IReadOnlyList<(IBackupStore Store, string Name)> copies, RowRestoreOptions options, Func<RowRestorePlan, Task<bool>> approve, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var asked = false;
        Task<bool> ApproveAsync(RowRestorePlan plan)
        {
            asked = true;
            return approve(plan);
        }

        for (var i = 0; ; i++)
        {
            try
            {
                return await RunAsync(copies[i].Store, copies[i].Name, options, ApproveAsync, observer, cancellationToken).ConfigureAwait(false);
            }
            catch (MoltException e) when (i + 1 < copies.Count && !asked && RestoreOperation.FaultsOfACopy.Contains(e.Id))
            {
                observer.Warning($"{e.Message} Reading the copy in {copies[i + 1].Store.Location} instead.");
            }
        }
    }

    private static async Task<IReadOnlyList<RestoredRows>> RunAsync(IBackupStore store, string name, RowRestoreOptions options, Func<RowRestorePlan, Task<bool>> approve, IOperationObserver observer, CancellationToken cancellationToken)
    {
        UndoFile.Check(options.UndoFile);
        var archive = await ArchiveReader.OpenAsync(await store.OpenAsync(await store.FindAsync(name, cancellationToken).ConfigureAwait(false), manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken, options.Access).ConfigureAwait(false);
        await using (archive.ConfigureAwait(false))
        {
            if (options.Backup is { } meant && archive.Index.ManifestSha256 != meant.ManifestSha256)
            {
                throw new MoltException("BackupNotFound", ErrorKind.NotFound, $"{archive.Location} is another backup than {meant.Path}, which bears its name.", "List what is there with Get-MoltBackup.", archive.Location);
            }

            var contents = await archive.ReadContentsAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                var session = await RowSession.OpenAsync(options.Connection, "row restore", cancellationToken).ConfigureAwait(false);
                await using (session.ConfigureAwait(false))
                {
                    var lease = await ReadLease.TakeAsync(store, name, archive.Manifest.Id, "row restore", observer, TimeProvider.System, cancellationToken).ConfigureAwait(false);
                    await using (lease.ConfigureAwait(false))
                    {
                        return await new RowRestoreOperation(options, observer, archive, contents, session).RestoreAsync(approve, cancellationToken).ConfigureAwait(false);
                    }
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Restoring rows of {options.Table}", options.Table) is { } translated)
            {
                throw translated;
            }
        }
    }

    private async Task<IReadOnlyList<RestoredRows>> RestoreAsync(Func<RowRestorePlan, Task<bool>> approve, CancellationToken cancellationToken)
    {
        observer.Verbose("Looking at the database …");
        var backup = BackupTable.Named(contents, options.Table, archive.Manifest.Name ?? archive.Location);
        var schema = await LiveSchema.ReadAsync(session.Connection, cancellationToken).ConfigureAwait(false);
        var live = schema.Find(backup.Schema, backup.Name) ?? throw new MoltException("TableGone", ErrorKind.NotFound, $"{options.Connection.Database} has no table {backup} any more.",
            $"Restore the whole table: Restore-MoltBackup -Table {backup} into a database beside, and from there; or make the table first.", backup.ToString());
        var loader = new RowLoader(session, archive, contents, observer);
        var closure = new RowClosure(session, schema, loader, options);
        await closure.RunAsync(live, backup, cancellationToken).ConfigureAwait(false);

        observer.Verbose("Counting …");
        var decision = new RowDecision(session, schema, closure, options);
        await session.ExecuteAsync("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", cancellationToken).ConfigureAwait(false);
        await decision.DecideAsync(cancellationToken).ConfigureAwait(false);
        await session.ExecuteAsync("COMMIT", cancellationToken).ConfigureAwait(false);
        await decision.KeepAsync(cancellationToken).ConfigureAwait(false);
        var report = new RowReport(session, closure, options, archive.Manifest);
        var tables = await report.TablesAsync(live, cancellationToken).ConfigureAwait(false);
        var plan = new RowRestorePlan { Database = options.Connection.Database, Server = session.Server.Settings.Describe(), Tables = tables, Triggers = report.Triggers };
        if (plan.Inserted + plan.Updated == 0)
        {
            observer.Verbose("There is nothing to restore.");
            return tables;
        }

        if (!await approve(plan).ConfigureAwait(false))
        {
            return tables;
        }

        await ApplyAsync(schema, closure, decision, report, cancellationToken).ConfigureAwait(false);
        foreach (var table in tables)
        {
            (table.IsDone, table.UndoFile) = (true, options.UndoFile);
        }

        return tables;
    }

    private async Task ApplyAsync(LiveSchema schema, RowClosure closure, RowDecision decision, RowReport report, CancellationToken cancellationToken)
    {
        observer.Verbose("Beginning the transaction …");
        var written = false;
        try
        {
            await session.ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = {Math.Max(1, (long)options.LockTimeout.TotalMilliseconds)}; SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL statement_timeout = '1h'"), cancellationToken).ConfigureAwait(false);
            var triggers = options.SkipTriggers ? closure.Units.Concat(closure.Links).SelectMany(u => u.Live.Triggers).Distinct().ToList() : [];
            foreach (var trigger in triggers)
            {
                await session.ExecuteAsync($"ALTER TABLE ONLY {trigger.Table} DISABLE TRIGGER {SqlName.Quote(trigger.Name)}", cancellationToken).ConfigureAwait(false);
            }

            await decision.DecideAsync(cancellationToken).ConfigureAwait(false);
            await decision.CompareAsync(cancellationToken).ConfigureAwait(false);
            observer.Verbose("Writing rows …");
            var change = new RowChange(session, schema, closure, options);
            await change.RunAsync(cancellationToken).ConfigureAwait(false);
            observer.Verbose("Proving rows …");
            await change.ProveAsync(cancellationToken).ConfigureAwait(false);
            await change.AdvanceSequencesAsync(cancellationToken).ConfigureAwait(false);
            foreach (var trigger in triggers)
            {
                await session.ExecuteAsync($"ALTER TABLE ONLY {trigger.Table} ENABLE {(trigger.Enabled == 'A' ? "ALWAYS " : "")}TRIGGER {SqlName.Quote(trigger.Name)}", cancellationToken).ConfigureAwait(false);
            }

            observer.Verbose("Writing the undo file …");
            var undo = new UndoScript(session, schema, closure, change.Old);
            await UndoFile.WriteAsync(options.UndoFile, output => undo.WriteAsync(output, report.Explain(options.UndoFile), cancellationToken)).ConfigureAwait(false);
            written = true;
            var transaction = await session.ScalarAsync<string>(session.Version >= 130000 ? "SELECT pg_current_xact_id()::text" : "SELECT txid_current()::text", cancellationToken).ConfigureAwait(false);
            observer.Verbose("Committing …");
            cancellationToken.ThrowIfCancellationRequested();
            await CommitAsync(transaction!).ConfigureAwait(false);
        }
        catch (MoltException e) when (e.Id == "CommitUnknown")
        {
            throw;
        }
        catch (Exception e)
        {
            await session.RollBackAsync().ConfigureAwait(false);
            if (written)
            {
                UndoFile.Remove(options.UndoFile);
            }

            if (e is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable } locked)
            {
                throw new MoltException("LockTimeout", ErrorKind.Timeout, $"A lock was not to be had within {options.LockTimeout.TotalSeconds:0.#} s: {locked.MessageText}. Nothing was restored.", "Find who holds it, and run it again; -LockTimeout waits longer.", options.Table, e);
            }

            throw;
        }

        observer.Verbose("Committed.");
    }

    /// <summary>Not to be stopped within, and when the answer is lost, asked for again: whether the rows are there must be known.</summary>
    private async Task CommitAsync(string transaction)
    {
        try
        {
            await session.ExecuteAsync("COMMIT", CancellationToken.None).ConfigureAwait(false);
        }
        catch (NpgsqlException e) when (e is not PostgresException p || p.SqlState.StartsWith("57", StringComparison.Ordinal))
        {
            string? status = null;
            try
            {
                using var time = new CancellationTokenSource(AnswerWithin);
                var other = await session.Server.OpenAsync(new SessionOptions("row restore"), time.Token).ConfigureAwait(false);
                await using (other.ConfigureAwait(false))
                {
                    do
                    {
                        status = await DatabaseCatalog.ScalarAsync<string>(other, session.Version >= 130000 ? $"SELECT pg_xact_status('{transaction}'::xid8)" : $"SELECT txid_status({transaction})", time.Token).ConfigureAwait(false);
                    }
                    while (status == "in progress" && await WaitAsync(time.Token).ConfigureAwait(false));
                }
            }
            catch (Exception inner) when (inner is MoltException or NpgsqlException or OperationCanceledException)
            {
                // Then nobody knows, which is what is said.
            }

            if (status == "aborted")
            {
                throw;
            }

            if (status != "committed")
            {
                throw new MoltException("CommitUnknown", ErrorKind.ConnectionFailed, $"The connection was lost in the commit ({e.Message}), and whether the rows are there is not known. The undo file {options.UndoFile} is kept: it refuses to do anything where they are not.",
                    "Run it again when the server is there: with the rows there it finds nothing to do.", options.Table, e);
            }
        }
    }

    private static async Task<bool> WaitAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(200, cancellationToken).ConfigureAwait(false);
        return true;
    }
}
