using System.Globalization;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>COPY commands for sessions whose client_encoding is the database's own.</summary>
public static class CopySql
{
    /// <param name="schema">The table's schema.</param>
    /// <param name="table">The table.</param>
    /// <param name="columns">Columns in the order of the rows' values; none for a table without.</param>
    /// <param name="format">Form of the rows.</param>
    /// <param name="encoding">The database's encoding.</param>
    /// <param name="frozen">Rows visible to all at once; the transaction must have emptied the table.</param>
    public static string In(string schema, string table, IReadOnlyList<string> columns, RowFormat format, string encoding, bool frozen = false)
        => $"COPY {SqlName.QuoteIn(encoding, schema, table)}{(columns.Count > 0 ? $" ({List(columns, encoding)})" : "")} FROM STDIN {Options(format, frozen)}";

    /// <summary>A whole table is copied by name, which needs no plan and no locks on its indexes.</summary>
    public static string Out(TableRange range, RowFormat format, string encoding)
    {
        var table = range.Table;
        var name = SqlName.QuoteIn(encoding, table.Schema, table.Name);
        var columns = List(table.Columns, encoding);
        if (range.FirstBlock == 0 && range.EndBlock is null)
        {
            return $"COPY {name}{(columns.Length > 0 ? $" ({columns})" : "")} TO STDOUT {Options(format)}";
        }

        var bounds = string.Create(CultureInfo.InvariantCulture, $"ctid >= '({range.FirstBlock},0)'{(range.EndBlock is { } end ? $" AND ctid < '({end},0)'" : "")}");
        return $"COPY (SELECT {columns} FROM ONLY {name} WHERE {bounds}) TO STDOUT {Options(format)}";
    }

    private static string Options(RowFormat format, bool frozen = false) => $"(FORMAT {(format == RowFormat.Binary ? "binary" : "text")}{(frozen ? ", FREEZE" : "")})";

    private static string List(IEnumerable<string> columns, string encoding) => string.Join(", ", columns.Select(c => SqlName.QuoteIn(encoding, c)));
}
