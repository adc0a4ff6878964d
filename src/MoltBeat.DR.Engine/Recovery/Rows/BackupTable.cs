using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>A table as a backup holds it: of a partitioned one, all of its partitions.</summary>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
/// <param name="Sources">Where its rows are; empty when they are not in parts.</param>
/// <param name="LeftToPgDump">Tables of it whose rows, if any, are in the dump alone, and cannot be read here.</param>
internal sealed record BackupTable(string Schema, string Name, IReadOnlyList<TableContents> Sources, IReadOnlyList<string> LeftToPgDump)
{
    /// <summary>Columns that all of it has, in their order.</summary>
    public IReadOnlyList<string> Columns => Sources.Count == 0 ? [] : Sources[0].Columns.Where(c => Sources.All(s => s.Columns.Contains(c))).ToList();

    /// <summary>Columns of its primary key, as the backup has it.</summary>
    public IReadOnlyList<string> Key => Sources.Count > 0 && Sources.All(s => s.Key.SequenceEqual(Sources[0].Key)) ? Sources[0].Key : [];

    public long Rows => Sources.Sum(s => s.Rows);

    public long RawBytes => Sources.Sum(s => s.RawBytes);

    /// <summary>Null when the backup has no such table.</summary>
    public static BackupTable? Find(Contents contents, string schema, string name)
    {
        var own = contents.Tables.FirstOrDefault(t => t.Schema == schema && t.Name == name);
        var other = contents.LeftToPgDump.FirstOrDefault(t => t.Schema == schema && t.Name == name);
        if (own is null && other is null)
        {
            return null;
        }

        if (own is not null)
        {
            return new BackupTable(schema, name, [own], []);
        }

        // A partitioned table has no rows of its own; what lies below it may be partitioned again.
        var partitioned = contents.LeftToPgDump.Where(t => t.Partitioned).Select(t => t.Oid).ToHashSet();
        var below = new HashSet<uint> { other!.Oid };
        while (contents.LeftToPgDump.Where(t => t.Partitioned && !below.Contains(t.Oid) && t.Parents.Any(p => below.Contains(p) && partitioned.Contains(p))).ToList() is { Count: > 0 } more)
        {
            more.ForEach(t => below.Add(t.Oid));
        }

        var sources = other.Partitioned ? contents.Tables.Where(t => t.Parents.Any(below.Contains)).ToList() : [];
        var left = (other.Partitioned ? contents.LeftToPgDump.Where(t => !t.Partitioned && t.Parents.Any(below.Contains)) : [other]).Select(t => $"{t.Schema}.{t.Name} ({t.Reason})").ToList();
        return new BackupTable(schema, name, sources, left);
    }

    /// <summary>The one table that <c>name</c> or <c>schema.name</c> means.</summary>
    /// <exception cref="MoltException"><c>TableNotFound</c>, <c>TableAmbiguous</c>, <c>RowsNotInParts</c>.</exception>
    public static BackupTable Named(Contents contents, string name, string backup)
    {
        string Shown(string text) => ByteText.Shown(text, contents.Database.Encoding);
        var found = contents.Tables.Select(t => (t.Schema, t.Name)).Concat(contents.LeftToPgDump.Select(t => (t.Schema, t.Name))).ToList();
        var exact = found.Where(t => $"{Shown(t.Schema)}.{Shown(t.Name)}" == name).ToList();
        var matches = exact.Count > 0 ? exact : found.Where(t => Shown(t.Name) == name).ToList();
        if (matches.Count == 0)
        {
            throw new MoltException("TableNotFound", ErrorKind.NotFound, $"{backup} has no table {name}.", "Name the table as name or schema.name, in the case in which PostgreSQL keeps it.", name);
        }

        if (matches.Count > 1)
        {
            throw new MoltException("TableAmbiguous", ErrorKind.InvalidArgument, $"{backup} has {name} in the schemas {string.Join(", ", matches.Select(m => Shown(m.Schema)))}.", "Name the schema too, as in schema.name.", name);
        }

        var table = Find(contents, matches[0].Schema, matches[0].Name)!;
        return table.LeftToPgDump.Count == 0 ? table : throw new MoltException("RowsNotInParts", ErrorKind.NotSupported,
            $"{backup} holds the rows of {string.Join(", ", table.LeftToPgDump)} in its dump alone: they cannot be read one by one.", $"Restore the table beside, with Restore-MoltBackup -Table {name} -TargetDatabase, and copy the rows from there.", name);
    }

    public override string ToString() => $"{Schema}.{Name}";
}
