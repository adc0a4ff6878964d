using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>
/// Gives one database the name of another, which is kept, in one transaction. Nothing bars the way for new sessions but the lock
/// of that transaction: ALTER DATABASE … RENAME takes it before it waits for the sessions of others to end, and whoever connects
/// waits for it. So if this process, this machine or the server dies at any moment, the lock goes and nothing is left behind.
/// </summary>
internal sealed class DatabaseSwap
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan SettlesWithin = TimeSpan.FromSeconds(30);

    private readonly PinnedServer server;
    private readonly int serverVersion;
    private readonly SwapRequest request;
    private readonly IOperationObserver observer;
    private string keptAs = "";

    /// <param name="server">The server, with a database that is neither of the two.</param>
    /// <param name="serverVersion"><c>server_version_num</c>.</param>
    /// <param name="request">Which two.</param>
    /// <param name="observer">Is told of what it waits for.</param>
    public DatabaseSwap(PinnedServer server, int serverVersion, SwapRequest request, IOperationObserver observer)
    {
        this.server = server;
        this.serverVersion = serverVersion;
        this.request = request;
        this.observer = observer;
    }

    /// <summary>Swaps, or changes nothing.</summary>
    /// <exception cref="MoltException">
    /// <c>TargetChanged</c>, <c>PreparedTransactions</c>, <c>BackupInTheWay</c>, <c>SessionsNotEnded</c>, <c>SwapFailed</c>; and <c>SwapUncertain</c>, when nobody answers who
    /// could say whether it has come to pass.
    /// </exception>
    public async Task<ReplacedDatabase> RunAsync(CancellationToken cancellationToken)
    {
        var ender = await OpenAsync("swap", cancellationToken).ConfigureAwait(false);
        await using (ender.ConfigureAwait(false))
        {
            var clock = Stopwatch.StartNew();
            var said = false;
            while (true)
            {
                await WaitForBackupAsync(ender, cancellationToken).ConfigureAwait(false);
                await RefusePreparedAsync(ender, cancellationToken).ConfigureAwait(false);
                var (done, failure) = await TryAsync(ender, cancellationToken).ConfigureAwait(false);
                if (done is not null)
                {
                    return done;
                }

                if (clock.Elapsed > Patience)
                {
                    throw failure!;
                }

                if (!said)
                {
                    said = true;
                    observer.Warning($"{failure!.Message} Trying again.");
                }

                await Task.Delay(TimeSpan.FromMilliseconds(250), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<NpgsqlConnection> OpenAsync(string purpose, CancellationToken cancellationToken)
    {
        var session = await server.OpenAsync(new SessionOptions(purpose), cancellationToken).ConfigureAwait(false);
        try
        {
            await DatabaseCatalog.ExecuteAsync(session, SessionSettings.Pin(serverVersion, TimeSpan.Zero), cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch
        {
            await session.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <returns>What was done, or why it may be worth another try.</returns>
    private async Task<(ReplacedDatabase? Done, MoltException? Failure)> TryAsync(NpgsqlConnection ender, CancellationToken cancellationToken)
    {
        // Its own session each time: whatever becomes of the transaction, it ends with that.
        var renamer = await OpenAsync("swap", cancellationToken).ConfigureAwait(false);
        await using (renamer.ConfigureAwait(false))
        {
            var process = await DatabaseCatalog.ScalarAsync<int>(renamer, "SELECT pg_backend_pid()", cancellationToken).ConfigureAwait(false);
            var now = await DatabaseCatalog.ScalarAsync<DateTime>(renamer, "SELECT date_trunc('second', now()) AT TIME ZONE 'UTC'", cancellationToken).ConfigureAwait(false);
            var time = new DateTimeOffset(DateTime.SpecifyKind(now, DateTimeKind.Utc));
            keptAs = request.Oid is null ? "" : await PreviousDatabases.FreeNameAsync(renamer, request.Name, time, cancellationToken).ConfigureAwait(false);
            var ending = new SessionEnding(ender, process, request.Oid is { } oid ? [oid, request.IncomingOid] : [request.IncomingOid]);
            var clock = Stopwatch.StartNew();
            try
            {
                await RenameAsync(renamer, ending, cancellationToken).ConfigureAwait(false);
                await MarkAsync(renamer, time, cancellationToken).ConfigureAwait(false);
                if (request.Finish is { } finish)
                {
                    await finish(renamer, request.Oid is null ? null : keptAs, cancellationToken).ConfigureAwait(false);
                }
            }
            catch (PostgresException e) when (!cancellationToken.IsCancellationRequested)
            {
                return (null, await FailureAsync(ender, ending, e, cancellationToken).ConfigureAwait(false));
            }

            cancellationToken.ThrowIfCancellationRequested();
            return await CommitAsync(renamer, process).ConfigureAwait(false) is { } broken
                ? (null, broken)
                : (new ReplacedDatabase(request.Name, keptAs, ending.Ended, clock.Elapsed), null);
        }
    }

    private async Task RenameAsync(NpgsqlConnection renamer, SessionEnding ending, CancellationToken cancellationToken)
    {
        // The limits hold for the server, should it no longer hear of us: a lock of a machine that has lost its network would bar the way until TCP gives up.
        await DatabaseCatalog.ExecuteAsync(renamer, "BEGIN; SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '20s'; SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL synchronous_commit = on", cancellationToken).ConfigureAwait(false);
        using var stop = new CancellationTokenSource();
        var task = ending.RunAsync(stop.Token);
        try
        {
            var name = SqlName.Quote(request.Name);
            if (request.Oid is { } oid)
            {
                await DatabaseCatalog.ExecuteAsync(renamer, $"ALTER DATABASE {name} RENAME TO {SqlName.Quote(keptAs)}", cancellationToken).ConfigureAwait(false);
                await ExpectAsync(renamer, keptAs, oid, request.Name, cancellationToken).ConfigureAwait(false);
            }

            await DatabaseCatalog.ExecuteAsync(renamer, $"ALTER DATABASE {SqlName.Quote(request.Incoming)} RENAME TO {name}", cancellationToken).ConfigureAwait(false);
            await ExpectAsync(renamer, request.Name, request.IncomingOid, request.Incoming, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await task.ConfigureAwait(false);
        }
    }

    private static async Task ExpectAsync(NpgsqlConnection renamer, string now, uint oid, string before, CancellationToken cancellationToken)
    {
        if (await DatabaseCatalog.ScalarAsync<uint>(renamer, $"SELECT oid FROM pg_catalog.pg_database WHERE datname = {SqlName.Literal(now)}", cancellationToken).ConfigureAwait(false) != oid)
        {
            throw new MoltException("TargetChanged", ErrorKind.Failed, $"Another database than the one that was looked at is called {before} now: nothing was changed.", "Find out who else works on this server, then try again.", before);
        }
    }

    private async Task MarkAsync(NpgsqlConnection renamer, DateTimeOffset time, CancellationToken cancellationToken)
    {
        if (request.Oid is not { } oid)
        {
            return;
        }

        var mark = new ReplacementMark
        {
            Of = request.Name,
            At = time,
            By = request.BackupId,
            Comment = await DatabaseCatalog.ScalarAsync<string>(renamer, string.Create(CultureInfo.InvariantCulture, $"SELECT shobj_description({oid}, 'pg_database')"), cancellationToken).ConfigureAwait(false),
            Oid = oid,
            Cluster = await PreviousDatabases.SystemIdentifierAsync(renamer, cancellationToken).ConfigureAwait(false),
        };
        await DatabaseCatalog.ExecuteAsync(renamer, ReplacementMark.Statement(keptAs, mark.ToString()), cancellationToken).ConfigureAwait(false);
    }

    /// <returns>Null when it has come to pass, else why not.</returns>
    private async Task<MoltException?> CommitAsync(NpgsqlConnection renamer, int process)
    {
        try
        {
            // Not to be stopped within: whether it has come to pass must be known.
            await DatabaseCatalog.ExecuteAsync(renamer, "COMMIT", CancellationToken.None).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException)
        {
            // Its answer may be lost, or may have been about something that came after.
            return await IsSwappedAsync(process, e).ConfigureAwait(false) ? null : Failed(e.Message, e);
        }
    }

    private async Task<bool> IsSwappedAsync(int process, Exception cause)
    {
        using var time = new CancellationTokenSource(SettlesWithin);
        while (true)
        {
            try
            {
                var session = await OpenAsync("swap", time.Token).ConfigureAwait(false);
                await using (session.ConfigureAwait(false))
                {
                    // As long as that session is there the server may still be at it.
                    if (!await DatabaseCatalog.ScalarAsync<bool>(session, string.Create(CultureInfo.InvariantCulture, $"SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = {process} AND application_name = current_setting('application_name'))"), time.Token).ConfigureAwait(false))
                    {
                        return await DatabaseCatalog.ScalarAsync<bool>(session, string.Create(CultureInfo.InvariantCulture, $"SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {SqlName.Literal(request.Name)} AND oid = {request.IncomingOid})"), time.Token).ConfigureAwait(false);
                    }
                }
            }
            catch (Exception e) when (e is MoltException or NpgsqlException or IOException && !time.IsCancellationRequested)
            {
                // It may be starting again.
            }
            catch (Exception e) when (e is OperationCanceledException or NpgsqlException or MoltException)
            {
                throw new MoltException("SwapUncertain", ErrorKind.ConnectionFailed,
                    $"The connection broke while {request.Name} got its new database ({cause.Message.TrimEnd('.')}), and nobody answers who could say whether it has it. It has either the old or the new one, whole; the old one is called {keptAs} in the latter case.",
                    "When the server answers again, look which databases there are: psql -l.", request.Name, cause);
            }

            await Task.Delay(200, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private async Task<MoltException> FailureAsync(NpgsqlConnection ender, SessionEnding ending, PostgresException e, CancellationToken cancellationToken)
    {
        await RefusePreparedAsync(ender, cancellationToken).ConfigureAwait(false);
        if (ending.Refused.Count > 0)
        {
            throw new MoltException("SessionsNotEnded", ErrorKind.PermissionDenied, $"The role may not end the sessions in {request.Name}: {string.Join("; ", ending.Refused)}. Nothing was changed.",
                "GRANT pg_signal_backend to the role; sessions of superusers only a superuser can end.", request.Name, e);
        }

        var failure = Failed(e.MessageText, e);
        return e.SqlState is PostgresErrorCodes.ObjectInUse or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.DuplicateDatabase
            ? failure
            : throw failure;
    }

    private MoltException Failed(string cause, Exception e)
        => new("SwapFailed", ErrorKind.Failed, $"{request.Name} could not be given to the other database: {cause.TrimEnd('.')}. Nothing was changed.", "See the message; the server's log says more.", request.Name, e);

    private async Task RefusePreparedAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        var prepared = new List<string>();
        await DatabaseCatalog.ReadAsync(session, $"SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database IN ({SqlName.Literal(request.Name)}, {SqlName.Literal(request.Incoming)}) ORDER BY prepared",
            row => prepared.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        if (prepared.Count > 0)
        {
            throw new MoltException("PreparedTransactions", ErrorKind.Busy, $"{request.Name} has prepared transactions, with which no database can be renamed: {string.Join(", ", prepared)}. Nothing was changed.",
                "End each in that database: COMMIT PREPARED 'name', or ROLLBACK PREPARED 'name'.", prepared);
        }
    }

    private async Task WaitForBackupAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        if (request.Oid is not { } oid)
        {
            return;
        }

        var clock = Stopwatch.StartNew();
        var said = false;
        while (await DatabaseCatalog.ScalarAsync<bool>(session, string.Create(CultureInfo.InvariantCulture, $"SELECT {SnapshotSession.BackupRunningIn(oid)}"), cancellationToken).ConfigureAwait(false))
        {
            if (clock.Elapsed > request.BackupWait)
            {
                throw new MoltException("BackupInTheWay", ErrorKind.Busy, $"A backup of {request.Name} has been running all the while, and would be cut off. Nothing was changed.", "Let the backup end, or end it; then try again.", request.Name);
            }

            if (!said)
            {
                said = true;
                observer.Warning($"A backup of {request.Name} is running: waiting until it has ended, {request.BackupWait.TotalMinutes.ToString(CultureInfo.InvariantCulture)} minutes at most.");
            }

            await Task.Delay(500, cancellationToken).ConfigureAwait(false);
        }
    }
}
