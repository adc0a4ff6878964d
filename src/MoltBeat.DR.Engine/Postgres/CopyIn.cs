using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Sends one COPY file to a table, all of it or nothing.</summary>
public static class CopyIn
{
    private const int BufferBytes = 1 << 18;

    /// <param name="connection">The session; it is not to be used for anything else meanwhile.</param>
    /// <param name="sql">The command, as <see cref="CopySql.In"/> makes it.</param>
    /// <param name="format">Form of the rows.</param>
    /// <param name="rows">The COPY file.</param>
    /// <param name="sent">Told of the bytes sent.</param>
    /// <param name="cancellationToken">Stops it; the server then keeps no row of it.</param>
    public static async Task SendAsync(NpgsqlConnection connection, string sql, RowFormat format,
        Stream rows, Action<int> sent, CancellationToken cancellationToken)
    {
        Stream target;
        Func<Task> cancel;
        if (format == RowFormat.Binary)
        {
            var raw = await connection.BeginRawBinaryCopyAsync(sql, cancellationToken).ConfigureAwait(false);
            (target, cancel) = (raw, raw.CancelAsync);
        }
        else
        {
            var text = await connection.BeginTextImportAsync(sql, cancellationToken).ConfigureAwait(false);
            (target, cancel) = (text.BaseStream, text.CancelAsync);
        }

        try
        {
            var buffer = new byte[BufferBytes];
            int n;
            while ((n = await rows.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                await target.WriteAsync(buffer.AsMemory(0, n), cancellationToken).ConfigureAwait(false);
                sent(n);
            }
        }
        catch
        {
            // Ending the stream in any other way would have the server keep the rows sent so far.
            try
            {
                await cancel().ConfigureAwait(false);
            }
            catch (Exception e) when (e is NpgsqlException or InvalidOperationException or ObjectDisposedException or IOException)
            {
                // The server has ended the COPY, or the connection is gone: either way it keeps nothing.
            }

            throw;
        }

        await target.DisposeAsync().ConfigureAwait(false);
    }
}
