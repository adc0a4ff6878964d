using System.Globalization;
using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// The one connection that holds a backup together: it has the lock that keeps a second backup of the same database away,
/// an ACCESS SHARE lock on every table, and the snapshot that pg_dump and the readers join.
/// </summary>
public sealed class SnapshotSession : IAsyncDisposable
{
    /// <summary>Key of the advisory lock. Such locks are per database already, so it is a constant: "molt".</summary>
    private const int BackupLock = 0x6d6f6c74;

    private const int Attempts = 5;
    private const int LockChunk = 500;

    private readonly SemaphoreSlim gate = new(1, 1);

    private SnapshotSession(NpgsqlConnection connection, int serverVersion, bool inRecovery)
    {
        Connection = connection;
        ServerVersion = serverVersion;
        InRecovery = inRecovery;
    }

    public NpgsqlConnection Connection { get; }

    /// <summary><c>server_version_num</c>.</summary>
    public int ServerVersion { get; }

    public bool InRecovery { get; }

    /// <summary>Name under which other sessions join the snapshot.</summary>
    public string Snapshot { get; private set; } = "";

    /// <summary>When the snapshot was taken, by this machine's clock.</summary>
    public DateTimeOffset Taken { get; private set; }

    public string? Lsn { get; private set; }

    public string? SystemIdentifier { get; private set; }

    /// <summary>All user tables as the snapshot shows them; those of kind r and p are locked, but for excluded ones and members of extensions.</summary>
    public IReadOnlyList<SourceTable> Tables { get; private set; } = [];

    /// <summary>Looks at the version before anything is asked that an older server would not understand.</summary>
    /// <exception cref="MoltException"><c>ServerTooOld</c>.</exception>
    public static void RefuseTooOld(Version server, string? database)
    {
        if (server.Major < 12)
        {
            throw new MoltException("ServerTooOld", ErrorKind.NotSupported, $"The server is PostgreSQL {server}; 12 is the oldest that can be backed up.",
                "Upgrade the server, or use its own pg_dump.", database);
        }
    }

    /// <param name="connection">A fresh connection whose settings are pinned (<see cref="SessionSettings.Pin"/>), owned by the session from here on.</param>
    /// <param name="lockTimeout">The lock timeout that was pinned.</param>
    /// <param name="excluded">Tables that will not be read, as <see cref="TablePatterns.Select"/> takes them: they are not locked, nor need they be readable.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <exception cref="MoltException">
    /// <c>BackupAlreadyRunning</c>, <c>LockTimeout</c>, <c>TablesKeepChanging</c>.
    /// </exception>
    public static async Task<SnapshotSession> StartAsync(NpgsqlConnection connection, TimeSpan lockTimeout, IReadOnlyList<string> excluded, CancellationToken cancellationToken)
    {
        try
        {
            var version = int.Parse((await DatabaseCatalog.ScalarAsync<string>(connection, "SHOW server_version_num", cancellationToken).ConfigureAwait(false))!, CultureInfo.InvariantCulture);
            var session = new SnapshotSession(connection, version,
                await DatabaseCatalog.ScalarAsync<bool>(connection, "SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false));
            await session.TakeBackupLockAsync(cancellationToken).ConfigureAwait(false);
            await session.ReadSystemIdentifierAsync(cancellationToken).ConfigureAwait(false);
            await session.LockAndTakeSnapshotAsync(lockTimeout, excluded, cancellationToken).ConfigureAwait(false);
            return session;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>SQL that says whether a backup of the database with this oid is running.</summary>
    internal static string BackupRunningIn(uint database) => string.Create(CultureInfo.InvariantCulture,
        $"EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND classid = {BackupLock} AND objid = 1 AND objsubid = 2 AND granted AND database = {database})");

    /// <summary>Runs something on this session's own connection, one at a time.</summary>
    public async Task UseAsync(Func<NpgsqlConnection, Task> action, CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await action(Connection).ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>
    /// Lets go of the snapshot and of the tables when everything has been read. The lock that keeps a second backup away stays.
    /// Fails when the session was cut meanwhile: its locks were gone then, and a table might have been emptied under a reader.
    /// </summary>
    public Task ReleaseAsync(CancellationToken cancellationToken) => DatabaseCatalog.ExecuteAsync(Connection, "COMMIT", cancellationToken);

    public async ValueTask DisposeAsync()
    {
        try
        {
            // Closing would free the lock too, but a moment later: too late for a backup that begins right behind this one.
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await DatabaseCatalog.ExecuteAsync(Connection, $"ROLLBACK; SELECT pg_advisory_unlock({BackupLock}, 1)", limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or OperationCanceledException or IOException)
        {
            // The connection is no more, or stopped in the middle of something: the server ends the session.
        }

        await Connection.DisposeAsync().ConfigureAwait(false);
        gate.Dispose();
    }

    /// <summary>Half seconds to wait for the lock on backups of this database.</summary>
    private const int PatienceForLock = 10;

    private async Task TakeBackupLockAsync(CancellationToken cancellationToken)
    {
        // A moment of patience: the server may not have noticed yet that the client of the one before is gone.
        for (var patience = PatienceForLock; !await DatabaseCatalog.ScalarAsync<bool>(Connection, $"SELECT pg_try_advisory_lock({BackupLock}, 1)", cancellationToken).ConfigureAwait(false); patience--)
        {
            if (patience > 0)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(500), cancellationToken).ConfigureAwait(false);
                continue;
            }

            var holder = await DatabaseCatalog.ScalarAsync<string>(Connection, $"""
                SELECT format('process %s, since %s', a.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
                FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
                WHERE l.locktype = 'advisory' AND l.granted AND l.classid = {BackupLock} AND l.objid = 1
                  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                """, cancellationToken).ConfigureAwait(false);
            throw new MoltException("BackupAlreadyRunning", ErrorKind.Busy,
                $"Another backup of the database {Connection.Database} is running{(holder is null ? "" : $" (server {holder})")}.",
                "Wait for it to end. If its client is dead, end that server process with pg_terminate_backend.", Connection.Database);
        }
    }

    private async Task ReadSystemIdentifierAsync(CancellationToken cancellationToken)
    {
        try
        {
            SystemIdentifier = await DatabaseCatalog.ScalarAsync<string>(Connection, "SELECT system_identifier::text FROM pg_control_system()", cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            // Some managed servers keep it to themselves.
        }
    }

    /// <summary>
    /// Locks first and takes the snapshot then: LOCK TABLE at the head of a transaction takes none. Nobody can rewrite or
    /// truncate a table between the two, which an older snapshot would see as empty.
    /// </summary>
    private async Task LockAndTakeSnapshotAsync(TimeSpan lockTimeout, IReadOnlyList<string> excluded, CancellationToken cancellationToken)
    {
        var encoding = (await DatabaseCatalog.ScalarAsync<string>(Connection, "SHOW server_encoding", cancellationToken).ConfigureAwait(false))!;
        for (var attempt = 1; ; attempt++)
        {
            var listed = await DatabaseCatalog.LockableTablesAsync(Connection, encoding, excluded, cancellationToken).ConfigureAwait(false);
            await DatabaseCatalog.ExecuteAsync(Connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", cancellationToken).ConfigureAwait(false);
            if (await TryLockAsync(listed.Values, lockTimeout, cancellationToken).ConfigureAwait(false))
            {
                Taken = DateTimeOffset.UtcNow;
                Snapshot = (await DatabaseCatalog.ScalarAsync<string>(Connection, "SELECT pg_export_snapshot()", cancellationToken).ConfigureAwait(false))!;
                Lsn = await DatabaseCatalog.ScalarAsync<string>(Connection,
                    InRecovery ? "SELECT pg_last_wal_replay_lsn()::text" : "SELECT pg_current_wal_lsn()::text", cancellationToken).ConfigureAwait(false);
                var tables = await DatabaseCatalog.TablesAsync(Connection, cancellationToken).ConfigureAwait(false);
                if (tables.All(t => t.Kind == 'f' || t.ExtensionMember || TablePatterns.Matches(excluded, encoding, t.Schema, t.Name) || (listed.TryGetValue(t.Oid, out var name) && name == t.QuotedName)))
                {
                    Tables = tables;
                    return;
                }
            }

            await DatabaseCatalog.ExecuteAsync(Connection, "ROLLBACK", cancellationToken).ConfigureAwait(false);
            if (attempt == Attempts)
            {
                throw new MoltException("TablesKeepChanging", ErrorKind.Busy,
                    $"Tables of {Connection.Database} were made, dropped or renamed during each of {Attempts} attempts to lock them all.",
                    "Run the backup when no migration is running.", Connection.Database);
            }
        }
    }

    /// <returns>False when a table was dropped or renamed meanwhile.</returns>
    private async Task<bool> TryLockAsync(IEnumerable<string> tables, TimeSpan lockTimeout, CancellationToken cancellationToken)
    {
        foreach (var chunk in tables.Chunk(LockChunk))
        {
            try
            {
                await DatabaseCatalog.ExecuteAsync(Connection, $"LOCK TABLE ONLY {string.Join(", ONLY ", chunk)} IN ACCESS SHARE MODE", cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName)
            {
                return false;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
            {
                throw NotReadable(e);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
            {
                await DatabaseCatalog.ExecuteAsync(Connection, "ROLLBACK", cancellationToken).ConfigureAwait(false);
                throw await LockHolders.TimeoutAsync(Connection, lockTimeout, $"one of {chunk.Length} tables, among them {chunk[0]}", cancellationToken).ConfigureAwait(false);
            }
        }

        return true;
    }

    private MoltException NotReadable(PostgresException e)
        => new("TableNotReadable", ErrorKind.PermissionDenied, $"The role may not read every table of {Connection.Database}: {e.MessageText}.",
            "Grant it pg_read_all_data (PostgreSQL 14 and newer), or SELECT on all tables and USAGE on their schemas. A backup that leaves tables out in silence is not made.", Connection.Database, e);
}
