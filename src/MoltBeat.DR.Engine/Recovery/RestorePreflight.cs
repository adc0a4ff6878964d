using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Checks;
using MoltBeat.DR.Engine.Recovery.InPlace;
using MoltBeat.DR.Engine.Recovery.Replacement;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>What stands in a restore's way, looked for before anything is made. All of it is looked at, whatever is found.</summary>
internal sealed class RestorePreflight
{
    private RestorePreflight()
    {
    }

    /// <summary><c>server_version_num</c> of the target.</summary>
    public int ServerVersion { get; private init; }

    /// <summary>Who restores.</summary>
    public string Role { get; private init; } = "";

    /// <summary>As <c>pg_controldata</c> prints it; null when the role may not ask.</summary>
    public string? SystemIdentifier { get; private init; }

    /// <summary>The target database is there: empty, unless it is to be replaced.</summary>
    public bool TargetExists => Live is not null;

    /// <summary>The database that has the target's name; null when there is none.</summary>
    public LiveDatabase? Live { get; private init; }

    /// <summary>Roles that are missing and will be made.</summary>
    public IReadOnlySet<string> RolesToMake { get; private set; } = new HashSet<string>();

    public IReadOnlySet<string> RolesPresent { get; private set; } = new HashSet<string>();

    /// <param name="server">The target server.</param>
    /// <param name="admin">A session on it with pinned settings, in another database than the target.</param>
    /// <param name="manifest">The backup's manifest.</param>
    /// <param name="contents">The backup's contents.</param>
    /// <param name="options">What is asked for.</param>
    /// <param name="report">Gets everything that is found: what fails the restore as well.</param>
    /// <param name="cancellationToken">Stops the queries.</param>
    public static async Task<RestorePreflight> RunAsync(PinnedServer server, NpgsqlConnection admin, Manifest manifest, Contents contents, RestoreOptions options, ReadinessReport report, CancellationToken cancellationToken)
    {
        var version = int.Parse((await DatabaseCatalog.ScalarAsync<string>(admin, "SHOW server_version_num", cancellationToken).ConfigureAwait(false))!, CultureInfo.InvariantCulture);
        var preflight = new RestorePreflight
        {
            ServerVersion = version,
            Role = (await DatabaseCatalog.ScalarAsync<string>(admin, "SELECT current_user::text", cancellationToken).ConfigureAwait(false))!,
            SystemIdentifier = await PreviousDatabases.SystemIdentifierAsync(admin, cancellationToken).ConfigureAwait(false),
            Live = await LiveDatabase.FindAsync(admin, options.TargetDatabase, version, cancellationToken).ConfigureAwait(false),
        };
        var checks = new ServerChecks(server, admin, preflight, options, cancellationToken);
        report.Add("Identity", () => checks.Identity(manifest.Server));
        await report.AddAsync("Primary", checks.StandbyAsync).ConfigureAwait(false);
        report.Add("ServerVersion", () => checks.Version(manifest.Server));
        await report.AddAsync("Target", () => preflight.CheckTargetAsync(server, options, cancellationToken)).ConfigureAwait(false);
        if (!options.InPlace)
        {
            await report.AddAsync("Rights", checks.RightsAsync).ConfigureAwait(false);
        }

        await report.AddAsync("Roles", () => preflight.CheckRolesAsync(admin, contents, options, cancellationToken)).ConfigureAwait(false);
        await report.AddAsync("Extensions", () => CheckExtensionsAsync(admin, contents, cancellationToken)).ConfigureAwait(false);
        if (!options.NoTablespaces)
        {
            await report.AddAsync("Tablespaces", () => preflight.CheckTablespacesAsync(admin, contents, options, cancellationToken)).ConfigureAwait(false);
        }

        await report.AddAsync("Disk", () => new DiskCheck(server, admin, options, cancellationToken)
            .RunAsync(contents, options.Replace || options.InPlace ? preflight.Live : null, options.NoTablespaces ? null : preflight.Properties(contents, options).Tablespace)).ConfigureAwait(false);
        await report.AddAsync("Connections", checks.ConnectionsAsync).ConfigureAwait(false);
        await report.AddAsync("Locks", () => checks.LocksAsync(contents.Tables.Count + contents.LeftToPgDump.Count)).ConfigureAwait(false);
        if (options.Replace && preflight.Live is { } live)
        {
            await new ReplacementChecks(server, admin, live, options.TargetDatabase, cancellationToken).RunAsync(report, contents).ConfigureAwait(false);
        }
        else if (options.InPlace && preflight.Live is { } present)
        {
            await new ReplacementChecks(server, admin, present, options.TargetDatabase, cancellationToken).ForInPlaceAsync(report, contents).ConfigureAwait(false);
            await report.AddAsync("InPlace", () => new InPlaceChecks(server, options.TargetDatabase, contents, present, cancellationToken).RunAsync()).ConfigureAwait(false);
        }

        return preflight;
    }

    /// <summary>What the new database is to be like: as the backup's was, or as the one that it takes the place of.</summary>
    public DatabaseProperties Properties(Contents contents, RestoreOptions options) => (options.Replace || options.InPlace) && Live is { } live ? live.Over(contents.Database) : contents.Database;

    private async Task<Finding> CheckTargetAsync(PinnedServer server, RestoreOptions options, CancellationToken cancellationToken)
    {
        if (options.Replace || options.InPlace)
        {
            return TargetExists ? Finding.Pass(options.InPlace ? $"{options.TargetDatabase} is there; what it holds will be backed up, and replaced" : $"{options.TargetDatabase} is there, and will be kept under another name")
                : throw new MoltException("NothingToReplace", ErrorKind.NotFound, $"There is no database {options.TargetDatabase} on this server that could be replaced.", $"Check the name and the server; without -Replace, -TargetDatabase {options.TargetDatabase} makes it.", options.TargetDatabase);
        }

        if (!TargetExists)
        {
            return Finding.Pass($"there is no database {options.TargetDatabase} yet");
        }

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
                        "Name another -TargetDatabase, or replace it with -Replace, which keeps it. Nothing is ever restored over a database that holds something.", options.TargetDatabase);
                }
            }
        }

        return Finding.Pass($"{options.TargetDatabase} is there, empty, and will be replaced");
    }

    private async Task<Finding> CheckRolesAsync(NpgsqlConnection admin, Contents contents, RestoreOptions options, CancellationToken cancellationToken)
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
            var properties = Properties(contents, options);
            needed.Add(properties.Owner);
            owners.Add(properties.Owner);
            needed.UnionWith(properties.Settings.Where(s => s.Role is not null).Select(s => s.Role!));
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

        if (options.Replace && options.NoOwner)
        {
            return Finding.Warning($"everything in {options.TargetDatabase} will belong to {Role}, and nobody will have rights: -NoOwner", $"Leave -NoOwner out, or grant the application what it needs right after.");
        }

        return Finding.Pass(missing.Count > 0 ? $"will be made: {string.Join(", ", missing)}" : "all roles that it takes are there");
    }

    private static async Task<Finding> CheckExtensionsAsync(NpgsqlConnection admin, Contents contents, CancellationToken cancellationToken)
    {
        var available = new Dictionary<string, string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(admin, "SELECT name::text, coalesce(default_version, '') FROM pg_catalog.pg_available_extensions", row => available[row.GetString(0)] = row.GetString(1), cancellationToken).ConfigureAwait(false);
        var missing = contents.Extensions.Where(e => !available.ContainsKey(e.Name)).ToList();
        if (missing.Count > 0)
        {
            throw new MoltException("ExtensionsMissing", ErrorKind.NotInstalled,
                $"Extensions that the backup needs are not installed on this server: {string.Join(", ", missing.Select(e => $"{e.Name} {e.Version}"))}.",
                "Install their packages on the server (Debian: postgresql-contrib for the stock ones), then restore.", missing.Select(e => e.Name).ToList());
        }

        var other = contents.Extensions.Where(e => available[e.Name] != e.Version).Select(e => $"{e.Name} {available[e.Name]} in place of {e.Version}").ToList();
        return other.Count == 0 ? Finding.Pass("all extensions that it takes are installed, in the backup's versions")
            : Finding.Warning($"extensions will be made in other versions than the backup's: {string.Join(", ", other)}", "Install the packages of the backup's versions where the application needs them.");
    }

    private async Task<Finding> CheckTablespacesAsync(NpgsqlConnection admin, Contents contents, RestoreOptions options, CancellationToken cancellationToken)
    {
        var present = new HashSet<string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(admin, "SELECT spcname::text FROM pg_catalog.pg_tablespace", row => present.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        var missing = contents.Tablespaces.Append(Properties(contents, options).Tablespace).OfType<string>().Distinct().Where(t => !present.Contains(t)).ToList();
        if (missing.Count > 0)
        {
            throw new MoltException("TablespacesMissing", ErrorKind.NotFound, $"Tablespaces that the backup uses are not on this server: {string.Join(", ", missing)}.",
                "Create them, or put everything into the default one with -NoTablespaces.", missing);
        }

        return Finding.Pass("all tablespaces that it takes are there");
    }
}
