namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>A pair of columns that must be equal for a row to be wanted.</summary>
/// <param name="Column">The row's column.</param>
/// <param name="KeyColumn">The column of the table of keys.</param>
/// <param name="KeyType">That column's type.</param>
internal sealed record KeyPair(string Column, string KeyColumn, string KeyType);

/// <summary>Which rows of a table are wanted.</summary>
/// <param name="Sql">The condition, given the name under which the row is known.</param>
/// <param name="Keys">The temporary table whose keys a wanted row holds; null for a condition of another kind.</param>
/// <param name="Pairs">The columns that hold them.</param>
internal sealed record RowCondition(Func<string, string> Sql, string? Keys = null, IReadOnlyList<KeyPair>? Pairs = null);
