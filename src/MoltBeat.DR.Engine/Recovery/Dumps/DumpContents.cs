using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Dumps;

/// <summary>Describes a dump as an archive describes itself, as far as that can be known, so that the same is looked at before both.</summary>
internal static class DumpContents
{
    public static Manifest ManifestOf(DumpScanner scanner, DumpInfo info, PinnedServer server)
    {
        var version = scanner.ServerVersion ?? server.Version.ToString();
        return new Manifest
        {
            FormatVersion = ArchiveFormat.Version,
            Id = info.Id,
            Kind = BackupKind.Manual,
            Database = info.Database,
            Created = info.Created,
            Completed = info.Created,
            Server = new ServerInfo { Version = version, VersionNumber = DumpFile.MajorOf(version) * 10000, InRecovery = false },
            Tools = new ToolInfo("", version),
            Rows = scanner.Tables.Sum(t => t.Rows),
            Tables = scanner.Tables.Count,
            RawBytes = scanner.Tables.Sum(t => t.Bytes),
            Members = [],
        };
    }

    /// <param name="scanner">What was found in it.</param>
    /// <param name="known">What its CREATE DATABASE said; null when there was none.</param>
    /// <param name="info">What is known from outside.</param>
    /// <param name="admin">The server it goes to.</param>
    /// <param name="observer">Is told what had to be taken from the server.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<Contents> OfAsync(DumpScanner scanner, DatabaseProperties? known, DumpInfo info, NpgsqlConnection admin, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var role = (await DatabaseCatalog.ScalarAsync<string>(admin, "SELECT current_user::text", cancellationToken).ConfigureAwait(false))!;
        if (known is null)
        {
            var (encoding, collate, ctype) = ("", "C", "C");
            await DatabaseCatalog.ReadAsync(admin, "SELECT pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text FROM pg_catalog.pg_database WHERE datname = 'template0'", row =>
                (encoding, collate, ctype) = (row.GetString(0), row.GetString(1), row.GetString(2)), cancellationToken).ConfigureAwait(false);
            if (!encoding.Equals(scanner.Encoding, StringComparison.OrdinalIgnoreCase))
            {
                (collate, ctype) = ("C", "C");
            }

            known = new DatabaseProperties { Name = info.Database, Owner = role, Encoding = scanner.Encoding, Collate = collate, CType = ctype };
            observer.Warning($"A dump in SQL does not say how its database sorted text: the new one is made with encoding {known.Encoding} (that of the dump) and collation {known.Collate}, and without the settings, rights and comment that the database had.");
        }

        // What it is written in must be what it is made in: pg_dump writes a database's own encoding.
        var available = new Dictionary<string, string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(admin, "SELECT name::text, coalesce(default_version, '') FROM pg_catalog.pg_available_extensions", row => available[row.GetString(0)] = row.GetString(1), cancellationToken).ConfigureAwait(false);
        return new Contents
        {
            Database = known with { Name = info.Database, Owner = role },
            Roles = [.. scanner.Roles],
            Extensions = scanner.Extensions.Select(e => new ExtensionUse(e.Key, available.GetValueOrDefault(e.Key, "(any version)"), e.Value)).ToList(),
            Tablespaces = [.. scanner.Tablespaces],
            Tables = scanner.Tables.Select(t => new TableContents { Schema = t.Schema, Name = t.Name, Oid = 0, Format = RowFormat.Text, Columns = t.Columns, Rows = t.Rows, Digest = "", RawBytes = t.Bytes, Parts = [] }).ToList(),
        };
    }
}
