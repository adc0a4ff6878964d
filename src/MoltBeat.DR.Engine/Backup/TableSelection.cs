using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Backup;

/// <summary>
/// Which tables' rows are copied part by part, which are left to pg_dump and which are left out. Refuses what would make a
/// short backup, or one that cannot be restored.
/// </summary>
public sealed class TableSelection
{
    private TableSelection()
    {
    }

    /// <summary>Plain heaps: their rows are ours to copy.</summary>
    public List<SourceTable> Copied { get; } = [];

    /// <summary>What we do not understand; pg_dump takes it, or says that it does not.</summary>
    public List<OtherTable> LeftToPgDump { get; } = [];

    /// <summary>Not in the backup at all.</summary>
    public List<SourceTable> Excluded { get; private init; } = [];

    /// <summary>In the backup without rows.</summary>
    public List<SourceTable> WithoutRows { get; private init; } = [];

    /// <summary>What the backup does not hold and why.</summary>
    public List<string> Notes { get; } = [];

    /// <param name="connection">A session whose transaction shows the tables.</param>
    /// <param name="tables">All user tables.</param>
    /// <param name="standby">The server is one.</param>
    /// <param name="encoding">The database's encoding.</param>
    /// <param name="options">Which tables to leave out.</param>
    /// <param name="cancellationToken">Stops the queries.</param>
    /// <exception cref="MoltException"><c>TableNotFound</c>, <c>TableNotReadable</c>, <c>RowsHidden</c>, <c>ExclusionBreaksRestore</c>.</exception>
    public static async Task<TableSelection> MakeAsync(NpgsqlConnection connection, IReadOnlyList<SourceTable> tables, bool standby, string encoding, BackupOptions options, CancellationToken cancellationToken)
    {
        (string, string) Name(SourceTable t) => (ByteText.Shown(t.Schema, encoding), ByteText.Shown(t.Name, encoding));
        var excluded = WithPartitions(TablePatterns.Select(options.ExcludeTables, tables, "ExcludeTable", Name), tables);
        var withoutRows = WithPartitions(TablePatterns.Select(options.ExcludeTableData, tables, "ExcludeTableData", Name), tables).Except(excluded).ToList();
        var selection = new TableSelection { Excluded = excluded, WithoutRows = withoutRows };
        await selection.RefuseBrokenRestoreAsync(connection, tables, cancellationToken).ConfigureAwait(false);

        foreach (var table in tables.Except(excluded))
        {
            if (table.Kind == 'r' && !withoutRows.Contains(table))
            {
                selection.Place(table, standby);
            }
            else
            {
                selection.Leave(table, table.Kind switch
                {
                    'f' => "a foreign table: its rows live on another server and are not part of this database",
                    'p' => "partitioned: its rows are its partitions'",
                    _ => "its rows were to be left out",
                });
            }
        }

        // What is not copied has to be locked all the same, and pg_dump asks for the right to read then.
        RefuseShortBackup(connection, tables.Where(t => t.Kind != 'f' && !t.ExtensionMember).Except(excluded).ToList(), selection.Copied);
        return selection;
    }

    private void Place(SourceTable table, bool inRecovery)
    {
        if (table.ExtensionMember)
        {
            Leave(table, "made by an extension, which says what of it to dump");
        }
        else if (table.LoadedThroughRoot)
        {
            Leave(table, "partitioned by the hash of an enum: after a restore rows belong to other partitions, and pg_dump loads them through the root");
        }
        else if (table.AccessMethod != "heap")
        {
            Leave(table, $"its access method is {table.AccessMethod}");
        }
        else if (table.Persistence == 'u' && inRecovery)
        {
            WithoutRows.Add(table);
            Leave(table, "unlogged, and this is a standby");
            Notes.Add($"{table}: an unlogged table has no rows on a standby.");
        }
        else
        {
            Copied.Add(table);
        }
    }

    private void Leave(SourceTable table, string reason)
        => LeftToPgDump.Add(new OtherTable(table.Schema, table.Name, reason) { Oid = table.Oid, Partitioned = table.Kind == 'p', Objects = table.Objects, Parents = table.Parents });

    /// <summary>A partitioned table brings its partitions, and theirs.</summary>
    private static List<SourceTable> WithPartitions(List<SourceTable> chosen, IReadOnlyList<SourceTable> tables)
    {
        var oids = chosen.Where(t => t.Kind == 'p').Select(t => t.Oid).ToHashSet();
        while (oids.Count > 0 && tables.Where(t => t.Parents.Any(oids.Contains) && !chosen.Contains(t)).ToList() is { Count: > 0 } found)
        {
            chosen.AddRange(found);
            oids.UnionWith(found.Where(t => t.Kind == 'p').Select(t => t.Oid));
        }

        return chosen;
    }

    private static void RefuseShortBackup(NpgsqlConnection connection, IReadOnlyCollection<SourceTable> locked, IReadOnlyCollection<SourceTable> copied)
    {
        if (locked.Where(t => !t.Readable).ToList() is { Count: > 0 } closed)
        {
            throw new MoltException("TableNotReadable", ErrorKind.PermissionDenied,
                $"The role may not read {Names(closed)}.",
                "Grant it pg_read_all_data (PostgreSQL 14 and newer), or SELECT on these tables and USAGE on their schemas, or leave them out with -ExcludeTable.", connection.Database);
        }

        if (copied.Where(t => t.RowsHidden).ToList() is { Count: > 0 } hidden)
        {
            throw new MoltException("RowsHidden", ErrorKind.PermissionDenied,
                $"Row-level security hides rows from this role in {Names(hidden)}. A backup that lacks rows in silence is not made.",
                "Use a role with BYPASSRLS (ALTER ROLE … BYPASSRLS) or the tables' owner.", connection.Database);
        }
    }

    /// <summary>Leaving a table out must not leave a foreign key, a partition or a view without what it needs.</summary>
    private async Task RefuseBrokenRestoreAsync(NpgsqlConnection connection, IReadOnlyList<SourceTable> tables, CancellationToken cancellationToken)
    {
        if (Excluded.Count == 0 && WithoutRows.Count == 0)
        {
            return;
        }

        var gone = Excluded.Select(t => t.Oid).ToHashSet();
        var empty = WithoutRows.Select(t => t.Oid).Concat(gone).ToHashSet();
        var byOid = tables.ToDictionary(t => t.Oid);
        var broken = new List<string>();
        foreach (var (name, from, to) in await DatabaseCatalog.ForeignKeysAsync(connection, cancellationToken).ConfigureAwait(false))
        {
            if (empty.Contains(to) && !empty.Contains(from) && byOid.TryGetValue(from, out var referencing))
            {
                broken.Add($"foreign key {name} of {referencing}");
            }
        }

        broken.AddRange(tables.Where(t => !gone.Contains(t.Oid) && t.Parents.Any(gone.Contains)).Select(t => $"{t}, a partition or child"));
        foreach (var (view, table) in await DatabaseCatalog.ViewsAsync(connection, cancellationToken).ConfigureAwait(false))
        {
            if (gone.Contains(table))
            {
                broken.Add($"view {view}");
            }
        }

        if (broken.Count > 0)
        {
            throw new MoltException("ExclusionBreaksRestore", ErrorKind.InvalidArgument,
                $"Without what is to be left out, these could not be restored: {string.Join(", ", broken.Distinct().Take(20))}.",
                "Leave those tables out as well, or keep what they refer to.", connection.Database);
        }
    }

    private static string Names(IReadOnlyCollection<SourceTable> tables)
        => string.Join(", ", tables.Take(20).Select(t => t.ToString())) + (tables.Count > 20 ? $" and {tables.Count - 20} more" : "");
}
