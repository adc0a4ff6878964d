using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Checks;

/// <summary>What is looked at on the server itself.</summary>
internal sealed class ServerChecks(PinnedServer server, NpgsqlConnection admin, RestorePreflight found, RestoreOptions options, CancellationToken cancellationToken)
{
    public async Task<Finding> StandbyAsync()
    {
        if (await DatabaseCatalog.ScalarAsync<bool>(admin, "SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("ServerIsStandby", ErrorKind.NotSupported, $"{server.Settings.Describe()} is a standby: nothing can be restored into it.",
                "Name the primary, for example with target_session_attrs=primary and several hosts.", server.Settings.Describe());
        }

        return Finding.Pass("it is a primary");
    }

    public Finding Version(ServerInfo backup)
    {
        if (found.ServerVersion / 10000 < backup.VersionNumber / 10000)
        {
            throw new MoltException("ServerOlderThanBackup", ErrorKind.NotSupported,
                $"The backup is of PostgreSQL {backup.Version}; this server is {found.ServerVersion / 10000}. pg_restore promises nothing into an older version.",
                $"Restore into PostgreSQL {backup.VersionNumber / 10000} or newer.", server.Settings.Describe());
        }

        return Finding.Pass($"PostgreSQL {server.Version} takes a backup of {backup.Version}");
    }

    /// <summary>Whether this is the server that the operator thinks it is.</summary>
    public Finding Identity(ServerInfo backup)
    {
        var who = $"{server.Settings.WithDatabase(options.TargetDatabase).Describe()}, PostgreSQL {server.Version}, system identifier {found.SystemIdentifier ?? "unknown"}"
            + (found.Live is { } live ? string.Create(CultureInfo.InvariantCulture, $", database oid {live.Oid}") : "");
        return Finding.Pass(found.SystemIdentifier is null || backup.SystemIdentifier is null ? who
            : found.SystemIdentifier == backup.SystemIdentifier ? $"{who}; the backup was made of this cluster" : $"{who}; the backup was made of another cluster ({backup.SystemIdentifier})");
    }

    public async Task<Finding> RightsAsync()
    {
        if (!await DatabaseCatalog.ScalarAsync<bool>(admin, "SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("CannotCreateDatabase", ErrorKind.PermissionDenied, "The role may not create databases.", "Restore as a role with CREATEDB.", admin.UserName);
        }

        return Finding.Pass($"{found.Role} may create databases");
    }

    public async Task<Finding> ConnectionsAsync()
    {
        // Loaders, the programs that build indexes meanwhile, and those that swap.
        var (least, most) = (options.Jobs + 3, (2 * options.Jobs) + 5);
        (int Free, int? Mine) left = default;
        await DatabaseCatalog.ReadAsync(admin, """
            SELECT current_setting('max_connections')::int - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int END
                     - (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'),
                   CASE WHEN rolconnlimit >= 0 AND NOT rolsuper THEN rolconnlimit - (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE usename = current_user) END
            FROM pg_catalog.pg_roles WHERE rolname = current_user
            """, row => left = (row.GetInt32(0), row.IsDBNull(1) ? null : row.GetInt32(1)), cancellationToken).ConfigureAwait(false);
        var free = Math.Min(left.Free, left.Mine ?? int.MaxValue);
        var message = string.Create(CultureInfo.InvariantCulture, $"{free} connections are free{(left.Mine <= left.Free ? " for this role" : "")}, the restore takes up to {most}");
        if (free < least)
        {
            throw new MoltException("TooManyConnections", ErrorKind.Busy, $"The server has too few connections left: {message}.", "Use fewer -Jobs, end sessions, or raise max_connections or the role's CONNECTION LIMIT.", server.Settings.Describe());
        }

        return free < most ? Finding.Warning(message, "Use fewer -Jobs, or end sessions.") : Finding.Pass(message);
    }

    public async Task<Finding> LocksAsync(int tables)
    {
        var slots = await DatabaseCatalog.ScalarAsync<long>(admin, "SELECT current_setting('max_locks_per_transaction')::int8 * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8)", cancellationToken).ConfigureAwait(false);
        var message = string.Create(CultureInfo.InvariantCulture, $"the server holds {slots:N0} locks, the backup has {tables:N0} tables");
        return slots < tables * 2L
            ? Finding.Warning(message + ": backing up the restored database will need more", "Raise max_locks_per_transaction on the server.")
            : Finding.Pass(message);
    }
}
