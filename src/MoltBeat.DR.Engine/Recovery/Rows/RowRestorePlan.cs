using System.Globalization;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>What a row restore is going to do, counted; nothing but temporary tables has been written when there is a plan.</summary>
public sealed class RowRestorePlan
{
    /// <summary>The database that lost rows.</summary>
    public required string Database { get; init; }

    /// <summary>Server, role and database.</summary>
    public required string Server { get; init; }

    /// <summary>The table that was asked for first.</summary>
    public required IReadOnlyList<RestoredRows> Tables { get; init; }

    /// <summary>Triggers that will fire; empty where none will.</summary>
    public required IReadOnlyList<string> Triggers { get; init; }

    public long Inserted => Tables.Sum(t => t.Inserted);

    public long Updated => Tables.Sum(t => t.Updated);

    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"insert {Inserted:N0} and update {Updated:N0} rows ({string.Join(", ", Tables.Where(t => t.Inserted + t.Updated > 0).Select(t => $"{t.Table} {t.Inserted + t.Updated:N0}"))})")
            + (Triggers.Count > 0 ? $"; these triggers fire: {string.Join(", ", Triggers)}" : "");
}
