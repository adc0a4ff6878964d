using System.Globalization;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Replacement;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Checks;

/// <summary>The database that has the target's name now.</summary>
internal sealed record LiveDatabase
{
    public required uint Oid { get; init; }

    public required DatabaseProperties Properties { get; init; }

    /// <summary>Bytes on the server's disk; null when the role may not ask.</summary>
    public long? Size { get; init; }

    /// <summary>Where the server's operating system's collation is another version than the one that the database was made with: (then, now); null when it is not, or cannot be known.</summary>
    public (string Then, string Now)? CollationChanged { get; init; }

    /// <returns>Null when there is no database of that name.</returns>
    public static async Task<LiveDatabase?> FindAsync(NpgsqlConnection admin, string name, int serverVersion, CancellationToken cancellationToken)
    {
        LiveDatabase? found = null;
        var versions = serverVersion >= 150000 ? "d.datcollversion, pg_database_collation_actual_version(d.oid)" : "NULL::text, NULL::text";
        string? comment = null;
        await DatabaseCatalog.ReadAsync(admin, $"""
            SELECT d.oid, CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(d.oid) END, {versions}, shobj_description(d.oid, 'pg_database')
            FROM pg_catalog.pg_database d WHERE d.datname = {SqlName.Literal(name)}
            """, row =>
        {
            found = new LiveDatabase
            {
                Oid = row.GetFieldValue<uint>(0),
                Properties = null!,
                Size = row.IsDBNull(1) ? null : row.GetInt64(1),
                CollationChanged = !row.IsDBNull(2) && !row.IsDBNull(3) && row.GetString(2) != row.GetString(3) ? (row.GetString(2), row.GetString(3)) : null,
            };
            comment = row.IsDBNull(4) ? null : row.GetString(4);
        }, cancellationToken).ConfigureAwait(false);
        if (found is null)
        {
            return null;
        }

        // A mark says what this database was, which the next one was not.
        var properties = await DatabaseCatalog.PropertiesOfAsync(admin, name, cancellationToken).ConfigureAwait(false);
        return found with { Properties = ReplacementMark.Read(comment, found.Oid, null) is { } mark ? properties with { Comment = mark.Comment } : properties };
    }

    /// <summary>What a database made of a backup is to be like when it takes the place of this one: the data's own encoding and collation, all else as it is here.</summary>
    public DatabaseProperties Over(DatabaseProperties backup) => backup with
    {
        Owner = Properties.Owner,
        Tablespace = Properties.Tablespace,
        ConnectionLimit = Properties.ConnectionLimit,
        IsTemplate = Properties.IsTemplate,
        Comment = Properties.Comment,
        Grants = Properties.Grants,
        Settings = Properties.Settings,
    };

    /// <summary>SQL condition on pg_stat_activity a: sessions that would have to end. Whoever is no superuser does not see what kind of process others' are.</summary>
    public string Sessions => string.Create(CultureInfo.InvariantCulture, $"a.datid = {Oid} AND a.usesysid IS NOT NULL AND coalesce(a.backend_type, '') <> 'parallel worker' AND a.pid <> pg_backend_pid() AND a.application_name NOT LIKE 'MoltBeat.DR restore%'");
}
