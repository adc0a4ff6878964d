namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>A table whose rows a dump holds as lines of COPY.</summary>
/// <param name="Schema">Its schema; empty where the dump does not say.</param>
/// <param name="Name">Its name.</param>
/// <param name="Columns">As the COPY names them.</param>
public sealed record DumpTable(string Schema, string Name, IReadOnlyList<string> Columns)
{
    public long Rows { get; internal set; }

    /// <summary>Bytes of the lines.</summary>
    public long Bytes { get; internal set; }
}
