using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Replacement;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>
/// The database that a restore makes. Until it is whole and proven it bears a name that nobody connects to, so that a
/// restore cut short can never be taken for the real thing.
/// </summary>
internal sealed class TargetDatabase
{
    private const string NamePrefix = "molt_restoring_";
    private const string CommentPrefix = "MoltBeat.DR: a restore is making this database";
    private static readonly TimeSpan CleanUpTime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan SessionsEndWithin = TimeSpan.FromSeconds(10);

    private readonly PinnedServer adminServer;
    private readonly RestoreOptions options;
    private readonly DatabaseProperties properties;
    private readonly IOperationObserver observer;
    private readonly RestorePlan plan;
    private readonly RestorePreflight preflight;
    private readonly List<string> rolesMade = [];
    private bool made;

    /// <param name="adminServer">The server, with a database that is not the target.</param>
    /// <param name="options">What is asked for.</param>
    /// <param name="properties">What the database is to be like.</param>
    /// <param name="plan">What was found on the server, and is to be done.</param>
    /// <param name="observer">Is told of leftovers.</param>
    public TargetDatabase(PinnedServer adminServer, RestoreOptions options, DatabaseProperties properties, RestorePlan plan, IOperationObserver observer)
    {
        this.adminServer = adminServer;
        this.options = options;
        this.properties = properties;
        this.plan = plan;
        preflight = plan.Preflight;
        this.observer = observer;
    }

    /// <summary>The name it has while it is made.</summary>
    public string WorkName { get; } = NamePrefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));

    public IReadOnlyList<string> RolesMade => rolesMade;

    public async Task CreateAsync(NpgsqlConnection admin, CancellationToken cancellationToken)
    {
        await WarnOfLeftoversAsync(admin, cancellationToken).ConfigureAwait(false);
        if (plan.RolesToCreate.Count > 0)
        {
            await MakeRolesAsync(admin, cancellationToken).ConfigureAwait(false);
        }

        made = true; // before the command: it may succeed although its answer is lost
        try
        {
            await DatabaseCatalog.ExecuteAsync(admin, CreateDatabase.Create(properties, SqlName.Quote(WorkName), preflight.ServerVersion, !options.NoTablespaces), cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e)
        {
            throw new MoltException("CreateDatabaseFailed", ErrorKind.Failed, $"The server does not make a database like {properties.Name} was (encoding {properties.Encoding}, collation {properties.Collate}): {e.MessageText}.",
                "The same locale has to be installed on the server (Debian: dpkg-reconfigure locales), or ICU support where the database used it.", properties.Name, e);
        }

        await DatabaseCatalog.ExecuteAsync(admin,
            $"COMMENT ON DATABASE {SqlName.Quote(WorkName)} IS {SqlName.Literal($"{CommentPrefix}; started {DateTimeOffset.UtcNow.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC, will be {options.TargetDatabase}")}",
            cancellationToken).ConfigureAwait(false);

        // Things in public can be given only to those who may make things there: from PostgreSQL 15 on to the database's owner,
        // who gets it now for that. A superuser is not asked.
        if (!options.NoOwner && !await DatabaseCatalog.ScalarAsync<bool>(admin, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", cancellationToken).ConfigureAwait(false))
        {
            await DatabaseCatalog.ExecuteAsync(admin, $"ALTER DATABASE {SqlName.Quote(WorkName)} OWNER TO {SqlName.Quote(properties.Owner)}", cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gives the finished database its properties, and its name. How it was filled does not matter here.</summary>
    /// <param name="admin">The session that has made it.</param>
    /// <param name="backupId">What it was made of, to be written down on the database that it replaces.</param>
    /// <param name="cancellationToken">Stops it, but not between having the name and not having it.</param>
    /// <returns>What became of the database that had the name; null when there was none that held something.</returns>
    public async Task<ReplacedDatabase?> PublishAsync(NpgsqlConnection admin, string? backupId, CancellationToken cancellationToken)
    {
        var work = SqlName.Quote(WorkName);
        await DatabaseCatalog.ExecuteAsync(admin, $"COMMENT ON DATABASE {work} IS NULL", cancellationToken).ConfigureAwait(false);
        await FinishAsync(admin, work, cancellationToken).ConfigureAwait(false);

        // With synchronous_commit off until here: this commit is awaited, and with it everything before.
        await DatabaseCatalog.ExecuteAsync(admin, "SET synchronous_commit = on", cancellationToken).ConfigureAwait(false);
        await EndPooledSessionsAsync(admin, cancellationToken).ConfigureAwait(false);
        if (plan.Replaces)
        {
            return await SwapAsync(admin, backupId, cancellationToken).ConfigureAwait(false);
        }

        await RenameAsync(admin, cancellationToken).ConfigureAwait(false);
        return null;
    }

    private async Task FinishAsync(NpgsqlConnection admin, string work, CancellationToken cancellationToken)
    {
        foreach (var statement in CreateDatabase.Finish(properties, work, roles: plan.Replaces || !options.NoOwner))
        {
            try
            {
                await DatabaseCatalog.ExecuteAsync(admin, statement, cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException e)
            {
                throw new MoltException("DatabaseSettingFailed", ErrorKind.Failed, $"The server refuses a setting the database had: {e.MessageText} ({statement.Replace(work, properties.Name, StringComparison.Ordinal)}).",
                    "Restore as a superuser, or give the server what the setting needs.", options.TargetDatabase, e);
            }
        }
    }

    private async Task<ReplacedDatabase> SwapAsync(NpgsqlConnection admin, string? backupId, CancellationToken cancellationToken)
    {
        var oid = await DatabaseCatalog.ScalarAsync<uint>(admin, $"SELECT oid FROM pg_catalog.pg_database WHERE datname = {SqlName.Literal(WorkName)}", cancellationToken).ConfigureAwait(false);
        var swap = new DatabaseSwap(adminServer, preflight.ServerVersion, new SwapRequest
        {
            Name = options.TargetDatabase,
            Oid = preflight.Live!.Oid,
            Incoming = WorkName,
            IncomingOid = oid,
            BackupId = backupId,
            BackupWait = options.BackupWait,
            Finish = FollowAsync,
        }, observer);
        var replaced = await swap.RunAsync(cancellationToken).ConfigureAwait(false);
        made = false;
        return replaced;
    }

    /// <summary>What was changed on the production database while the new one was made comes along as well.</summary>
    private async Task FollowAsync(NpgsqlConnection session, string? before, CancellationToken cancellationToken)
    {
        // The comment is the mark by now; it was changed, or not, with the rest.
        var present = await DatabaseCatalog.PropertiesOfAsync(session, before!, cancellationToken).ConfigureAwait(false);
        var live = preflight.Live!;
        var comment = ReplacementMark.Read(present.Comment, live.Oid, null)?.Comment;
        var now = (live with { Properties = present with { Comment = comment } }).Over(properties);
        if (JsonSerializer.Serialize(now) == JsonSerializer.Serialize(properties with { Tablespace = now.Tablespace }))
        {
            return;
        }

        var name = SqlName.Quote(options.TargetDatabase);
        foreach (var statement in CreateDatabase.Forget(properties, name).Concat(CreateDatabase.Finish(now, name, roles: true)))
        {
            await DatabaseCatalog.ExecuteAsync(session, statement, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>After a failure: removes the database and the roles that were made for it, or says that they are still there.</summary>
    public async Task CleanUpAsync()
    {
        if (options.KeepFailed && made)
        {
            observer.Warning($"The half-made database is kept: {WorkName}. Remove it with DROP DATABASE {SqlName.Quote(WorkName)}.");
            return;
        }

        using var time = new CancellationTokenSource(CleanUpTime);
        try
        {
            // A session of its own: the one in use may be what failed.
            var connection = await adminServer.OpenAsync(new SessionOptions("restore clean-up"), time.Token).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(preflight.ServerVersion, TimeSpan.Zero), time.Token).ConfigureAwait(false);
                if (made)
                {
                    if (await DatabaseCatalog.ScalarAsync<bool>(connection, $"SELECT datistemplate FROM pg_catalog.pg_database WHERE datname = {SqlName.Literal(WorkName)}", time.Token).ConfigureAwait(false))
                    {
                        await DatabaseCatalog.ExecuteAsync(connection, $"ALTER DATABASE {SqlName.Quote(WorkName)} IS_TEMPLATE false", time.Token).ConfigureAwait(false);
                    }

                    var sql = preflight.ServerVersion >= 130000 ? $"DROP DATABASE IF EXISTS {SqlName.Quote(WorkName)} WITH (FORCE)" : $"DROP DATABASE IF EXISTS {SqlName.Quote(WorkName)}";
                    await DatabaseCatalog.ExecuteAsync(connection, sql, time.Token).ConfigureAwait(false);
                }

                foreach (var role in Enumerable.Reverse(rolesMade))
                {
                    await DatabaseCatalog.ExecuteAsync(connection, $"DROP ROLE IF EXISTS {SqlName.Quote(role)}", time.Token).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is MoltException or NpgsqlException or OperationCanceledException or InvalidOperationException)
        {
            observer.Warning($"Could not clean up after the failure ({e.Message}). Remove by hand, as far as they are there: DROP DATABASE {SqlName.Quote(WorkName)}{string.Concat(rolesMade.Select(r => $"; DROP ROLE {SqlName.Quote(r)}"))}.");
        }
    }

    /// <summary>A pooler keeps its sessions when ours have ended; nobody else has any business in that database.</summary>
    private async Task EndPooledSessionsAsync(NpgsqlConnection admin, CancellationToken cancellationToken)
    {
        if (adminServer.IsPooler)
        {
            await DatabaseCatalog.ReadAsync(admin, $"SELECT pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = {SqlName.Literal(WorkName)} AND usename = current_user",
                _ => { }, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task RenameAsync(NpgsqlConnection admin, CancellationToken cancellationToken)
    {
        var (work, target, replaced) = (SqlName.Quote(WorkName), SqlName.Quote(options.TargetDatabase), SqlName.Quote(WorkName + "_was"));
        await RenameAsync(admin, preflight.TargetExists
            ? $"BEGIN; ALTER DATABASE {target} RENAME TO {replaced}; ALTER DATABASE {work} RENAME TO {target}; COMMIT"
            : $"ALTER DATABASE {work} RENAME TO {target}", cancellationToken).ConfigureAwait(false);
        made = false;
        if (preflight.TargetExists)
        {
            try
            {
                await DatabaseCatalog.ExecuteAsync(admin, $"DROP DATABASE {replaced}", CancellationToken.None).ConfigureAwait(false);
            }
            catch (PostgresException e)
            {
                observer.Warning($"The empty database that was called {options.TargetDatabase} could not be removed ({e.MessageText}): DROP DATABASE {replaced}.");
            }
        }
    }

    private async Task RenameAsync(NpgsqlConnection admin, string sql, CancellationToken cancellationToken)
    {
        // The server ends a client's session a moment after the client has gone.
        var deadline = DateTimeOffset.UtcNow + SessionsEndWithin;
        while (true)
        {
            try
            {
                // Not to be stopped within: whether it has come to pass must be known.
                cancellationToken.ThrowIfCancellationRequested();
                await DatabaseCatalog.ExecuteAsync(admin, sql, CancellationToken.None).ConfigureAwait(false);
                return;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse && DateTimeOffset.UtcNow < deadline)
            {
                await RollBackAsync(admin, cancellationToken).ConfigureAwait(false);
                await Task.Delay(100, cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException e)
            {
                await RollBackAsync(admin, cancellationToken).ConfigureAwait(false);
                throw new MoltException(e.SqlState == PostgresErrorCodes.DuplicateDatabase ? "TargetNotEmpty" : "RenameFailed", e.SqlState == PostgresErrorCodes.DuplicateDatabase ? ErrorKind.AlreadyExists : ErrorKind.Failed,
                    $"The restored database could not be given the name {options.TargetDatabase}: {e.MessageText}.",
                    "End the sessions in that database, or name another -TargetDatabase.", options.TargetDatabase, e);
            }
        }
    }

    private async Task RollBackAsync(NpgsqlConnection admin, CancellationToken cancellationToken)
    {
        if (preflight.TargetExists)
        {
            await DatabaseCatalog.ExecuteAsync(admin, "ROLLBACK", cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task MakeRolesAsync(NpgsqlConnection admin, CancellationToken cancellationToken)
    {
        await DatabaseCatalog.ExecuteAsync(admin, "BEGIN", cancellationToken).ConfigureAwait(false);
        foreach (var statement in plan.RoleStatements)
        {
            try
            {
                await DatabaseCatalog.ExecuteAsync(admin, statement, cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException e)
            {
                // Not the statement: it may hold the role's password hash.
                throw new MoltException("CreateRolesFailed", ErrorKind.Failed, $"Roles could not be made: {e.MessageText}.", "Restore as a superuser, or create the roles by hand.", plan.RolesToCreate, e);
            }
        }

        // Before the command, and not to be stopped within it: whether it has come to pass must be known.
        cancellationToken.ThrowIfCancellationRequested();
        rolesMade.AddRange(plan.RolesToCreate);
        await DatabaseCatalog.ExecuteAsync(admin, "COMMIT", CancellationToken.None).ConfigureAwait(false);
    }

    private async Task WarnOfLeftoversAsync(NpgsqlConnection admin, CancellationToken cancellationToken)
    {
        var left = new List<string>();
        await DatabaseCatalog.ReadAsync(admin, $"""
            SELECT d.datname::text FROM pg_catalog.pg_database d
            WHERE d.datname ~ '^{NamePrefix}[0-9a-f]+(_was)?$'
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)
            """, row => left.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        foreach (var name in left)
        {
            observer.Warning($"A restore that was cut short, or failed with -KeepFailed, has left the database {name}. Nobody is connected to it; remove it with DROP DATABASE {SqlName.Quote(name)}.");
        }
    }
}
