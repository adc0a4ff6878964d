using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>What stands in a restore's way, found before anything is made. All of it is named at once.</summary>
internal sealed class RestorePreflight
{
    private RestorePreflight()
    {
    }

    /// <summary><c>server_version_num</c> of the target.</summary>
    public int ServerVersion { get; private init; }

    /// <summary>Who restores.</summary>
    public string Role { get; private init; } = "";

    /// <summary>The target database is there, and empty.</summary>
    public bool TargetExists { get; private set; }

    /// <summary>Roles that are missing and will be made.</summary>
    public IReadOnlySet<string> RolesToMake { get; private set; } = new HashSet<string>();

    public IReadOnlySet<string> RolesPresent { get; private set; } = new HashSet<string>();

    /// <param name="server">The target server.</param>
    /// <param name="admin">A session on it with pinned settings, in another database than the target.</param>
    /// <param name="manifest">The backup's manifest.</param>
    /// <param name="contents">The backup's contents.</param>
    /// <param name="options">What is asked for.</param>
    /// <param name="cancellationToken">Stops the queries.</param>
    /// <exception cref="MoltException">
    /// <c>ServerIsStandby</c>, <c>ServerOlderThanBackup</c>, <c>TargetNotEmpty</c>, <c>RolesMissing</c>, <c>CreateRolesFailed</c>, <c>RoleNotGrantable</c>,
    /// <c>ExtensionsMissing</c>, <c>TablespacesMissing</c>, <c>CannotCreateDatabase</c>.
    /// </exception>
    public static async Task<RestorePreflight> RunAsync(PinnedServer server, NpgsqlConnection admin, Manifest manifest, Contents contents, RestoreOptions options, CancellationToken cancellationToken)
    {
        var version = int.Parse((await DatabaseCatalog.ScalarAsync<string>(admin, "SHOW server_version_num", cancellationToken).ConfigureAwait(false))!, CultureInfo.InvariantCulture);
        var preflight = new RestorePreflight
        {
            ServerVersion = version,
            Role = (await DatabaseCatalog.ScalarAsync<string>(admin, "SELECT current_user::text", cancellationToken).ConfigureAwait(false))!,
        };
        if (await DatabaseCatalog.ScalarAsync<bool>(admin, "SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("ServerIsStandby", ErrorKind.NotSupported, $"{server.Settings.Describe()} is a standby: nothing can be restored into it.",
                "Name the primary, for example with target_session_attrs=primary and several hosts.", server.Settings.Describe());
        }

        if (version / 10000 < manifest.Server.VersionNumber / 10000)
        {
            throw new MoltException("ServerOlderThanBackup", ErrorKind.NotSupported,
                $"The backup is of PostgreSQL {manifest.Server.Version}; this server is {version / 10000}. pg_restore promises nothing into an older version.",
                $"Restore into PostgreSQL {manifest.Server.VersionNumber / 10000} or newer.", server.Settings.Describe());
        }

        await preflight.CheckTargetAsync(server, admin, options, cancellationToken).ConfigureAwait(false);
        await CheckMayCreateAsync(admin, cancellationToken).ConfigureAwait(false);
        await preflight.CheckRolesAsync(admin, contents, options, cancellationToken).ConfigureAwait(false);
        await CheckExtensionsAsync(admin, contents, cancellationToken).ConfigureAwait(false);
        if (!options.NoTablespaces)
        {
            await CheckTablespacesAsync(admin, contents, cancellationToken).ConfigureAwait(false);
        }

        return preflight;
    }

    private async Task CheckTargetAsync(PinnedServer server, NpgsqlConnection admin, RestoreOptions options, CancellationToken cancellationToken)
    {
        if (!await DatabaseCatalog.ScalarAsync<bool>(admin, $"SELECT true FROM pg_catalog.pg_database WHERE datname = {SqlName.Literal(options.TargetDatabase)}", cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        TargetExists = true;
        var target = server.WithDatabase(options.TargetDatabase);
        await using (target.ConfigureAwait(false))
        {
            var connection = await target.OpenAsync(new SessionOptions("restore"), cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                var found = await DatabaseCatalog.ScalarAsync<string>(connection, """
                    SELECT string_agg(what, ', ') FROM (
                      SELECT format('%s relations', count(*)) AS what FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' HAVING count(*) > 0
                      UNION ALL SELECT format('%s functions', count(*)) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' HAVING count(*) > 0
                      UNION ALL SELECT format('%s types', count(*)) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
                        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND t.typrelid = 0 AND t.typelem = 0 HAVING count(*) > 0
                      UNION ALL SELECT format('%s schemas', count(*)) FROM pg_catalog.pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_' HAVING count(*) > 0
                      UNION ALL SELECT format('%s extensions', count(*)) FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' HAVING count(*) > 0
                      UNION ALL SELECT format('%s large objects', count(*)) FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0) found
                    """, cancellationToken).ConfigureAwait(false);
                if (found is not null)
                {
                    throw new MoltException("TargetNotEmpty", ErrorKind.AlreadyExists, $"The database {options.TargetDatabase} is there and isn't empty: it holds {found}.",
                        "Name another -TargetDatabase. Nothing is ever restored over a database that holds something.", options.TargetDatabase);
                }
            }
        }
    }

    private static async Task CheckMayCreateAsync(NpgsqlConnection admin, CancellationToken cancellationToken)
    {
        if (!await DatabaseCatalog.ScalarAsync<bool>(admin, "SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("CannotCreateDatabase", ErrorKind.PermissionDenied, "The role may not create databases.", "Restore as a role with CREATEDB.", admin.UserName);
        }
    }

    private async Task CheckRolesAsync(NpgsqlConnection admin, Contents contents, RestoreOptions options, CancellationToken cancellationToken)
    {
        var present = new HashSet<string>(StringComparer.Ordinal);
        var member = new HashSet<string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(admin, "SELECT rolname::text, pg_has_role(oid, 'MEMBER') FROM pg_catalog.pg_roles", row =>
        {
            present.Add(row.GetString(0));
            if (row.GetBoolean(1))
            {
                member.Add(row.GetString(0));
            }
        }, cancellationToken).ConfigureAwait(false);
        RolesPresent = present;

        var needed = contents.Roles.Where(r => !options.NoOwner || r.Policy).Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
        var owners = options.NoOwner ? [] : contents.Roles.Where(r => r.Owns).Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
        if (!options.NoOwner)
        {
            needed.Add(contents.Database.Owner);
            owners.Add(contents.Database.Owner);
            needed.UnionWith(contents.Database.Settings.Where(s => s.Role is not null).Select(s => s.Role!));
        }

        var missing = needed.Except(present).Order(StringComparer.Ordinal).ToList();
        if (missing.Count > 0 && !options.CreateRoles)
        {
            throw new MoltException("RolesMissing", ErrorKind.NotFound, $"Roles that the backup's objects belong to or grant rights to are not on this server: {string.Join(", ", missing)}.",
                options.NoOwner
                    ? "Row-level policies or user mappings name them: create them, or let -CreateRoles make them from the backup's globals."
                    : "Create them, let -CreateRoles make them from the backup's globals, or restore without owners and rights with -NoOwner.", missing);
        }

        if (missing.Count > 0 && !await DatabaseCatalog.ScalarAsync<bool>(admin, "SELECT rolcreaterole OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("CreateRolesFailed", ErrorKind.Failed, $"The role that restores may not create roles, and {string.Join(", ", missing)} are missing.",
                "Restore as a superuser, or create the roles by hand.", missing);
        }

        RolesToMake = missing.ToHashSet(StringComparer.Ordinal);
        var notMine = owners.Where(o => present.Contains(o) && !member.Contains(o)).Order(StringComparer.Ordinal).ToList();
        if (notMine.Count > 0)
        {
            throw new MoltException("RoleNotGrantable", ErrorKind.PermissionDenied, $"The role that restores is no member of {string.Join(", ", notMine)}, so it can give them nothing.",
                "Restore as a superuser or a member of these roles, or without owners and rights with -NoOwner.", notMine);
        }
    }

    private static async Task CheckExtensionsAsync(NpgsqlConnection admin, Contents contents, CancellationToken cancellationToken)
    {
        var available = new HashSet<string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(admin, "SELECT name::text FROM pg_catalog.pg_available_extensions", row => available.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        var missing = contents.Extensions.Where(e => !available.Contains(e.Name)).ToList();
        if (missing.Count > 0)
        {
            throw new MoltException("ExtensionsMissing", ErrorKind.NotInstalled,
                $"Extensions that the backup needs are not installed on this server: {string.Join(", ", missing.Select(e => $"{e.Name} {e.Version}"))}.",
                "Install their packages on the server (Debian: postgresql-contrib for the stock ones), then restore.", missing.Select(e => e.Name).ToList());
        }
    }

    private static async Task CheckTablespacesAsync(NpgsqlConnection admin, Contents contents, CancellationToken cancellationToken)
    {
        var present = new HashSet<string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(admin, "SELECT spcname::text FROM pg_catalog.pg_tablespace", row => present.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        var missing = contents.Tablespaces.Append(contents.Database.Tablespace).OfType<string>().Distinct().Where(t => !present.Contains(t)).ToList();
        if (missing.Count > 0)
        {
            throw new MoltException("TablespacesMissing", ErrorKind.NotFound, $"Tablespaces that the backup uses are not on this server: {string.Join(", ", missing)}.",
                "Create them, or put everything into the default one with -NoTablespaces.", missing);
        }
    }
}
