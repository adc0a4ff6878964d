using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Opens <c>COPY … TO STDOUT</c> as a stream of bytes. A read gives at most one row: gather before handing on.</summary>
public static class CopyOut
{
    public static async Task<Stream> OpenAsync(NpgsqlConnection connection, string sql, RowFormat format, CancellationToken cancellationToken)
        => new Export(format == RowFormat.Binary
            ? await connection.BeginRawBinaryCopyAsync(sql, cancellationToken).ConfigureAwait(false)
            : (NpgsqlRawCopyStream)(await connection.BeginTextExportAsync(sql, cancellationToken).ConfigureAwait(false)).BaseStream);

    /// <summary>
    /// Stops the server when it is closed early. Npgsql itself would read on to the table's end, however long that takes.
    /// </summary>
    private sealed class Export(NpgsqlRawCopyStream rows) : Stream
    {
        private bool ended;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            // Called for every row, nearly always with the row at hand already: then without a state machine of our own.
            var read = rows.ReadAsync(buffer, cancellationToken);
            return read.IsCompletedSuccessfully ? new(Note(read.Result, buffer)) : Later(read, buffer);
        }

        private async ValueTask<int> Later(ValueTask<int> read, Memory<byte> buffer) => Note(await read.ConfigureAwait(false), buffer);

        private int Note(int n, Memory<byte> buffer)
        {
            ended = n == 0 && buffer.Length > 0;
            return n;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
            => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

        public override async ValueTask DisposeAsync()
        {
            try
            {
                if (!ended)
                {
                    await rows.CancelAsync().ConfigureAwait(false);
                }

                await rows.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (!ended && e is (NpgsqlException or IOException or InvalidOperationException or OperationCanceledException))
            {
                // It is given up: stopped as asked, or broken already. What led here is the error to tell.
            }

            await base.DisposeAsync().ConfigureAwait(false);
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
