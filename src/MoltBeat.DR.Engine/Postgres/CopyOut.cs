using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Opens <c>COPY … TO STDOUT</c> as a stream of bytes. A read gives at most one row: gather before handing on.</summary>
public static class CopyOut
{
    public static async Task<Stream> OpenAsync(NpgsqlConnection connection, string sql, RowFormat format, CancellationToken cancellationToken)
        => format == RowFormat.Binary
            ? await connection.BeginRawBinaryCopyAsync(sql, cancellationToken).ConfigureAwait(false)
            : (await connection.BeginTextExportAsync(sql, cancellationToken).ConfigureAwait(false)).BaseStream;
}
