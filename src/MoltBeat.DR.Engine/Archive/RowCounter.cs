using System.Buffers;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>Digests a whole COPY stream without keeping it: a part of a backup, a live table, a restored one.</summary>
public static class RowCounter
{
    private const int BufferBytes = 1 << 20;

    /// <param name="copy">The stream, from its first byte; a binary one with header and trailer.</param>
    /// <param name="format">Its form.</param>
    /// <param name="mostBytes">More than this many bytes is damage: an archive says how long its parts are.</param>
    /// <param name="each">Told of the bytes as they pass; may be null.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <returns>The digest of all rows, and the bytes read.</returns>
    /// <exception cref="MoltException"><c>CopyDataMalformed</c>.</exception>
    public static async Task<(RowDigest Digest, long Bytes)> CountAsync(
        Stream copy, RowFormat format, long mostBytes, Func<ReadOnlyMemory<byte>, ValueTask>? each, CancellationToken cancellationToken)
    {
        var scanner = CopyScanner.For(format);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            var headerLeft = format == RowFormat.Binary ? CopyScanner.BinaryHeader.Length : 0;
            var have = 0;
            var trailing = 0;
            long total = 0;
            int n;
            do
            {
                var fresh = have;
                while ((n = await copy.ReadAsync(buffer.AsMemory(have), cancellationToken).ConfigureAwait(false)) > 0)
                {
                    have += n;
                    if (have == buffer.Length)
                    {
                        break;
                    }
                }

                total += have - fresh;
                if (total > mostBytes)
                {
                    throw Malformed("is longer than it should be");
                }

                if (each is not null)
                {
                    await each(buffer.AsMemory(fresh, have - fresh)).ConfigureAwait(false);
                }

                var at = 0;
                if (headerLeft > 0)
                {
                    if (have < headerLeft || !buffer.AsSpan(0, headerLeft).SequenceEqual(CopyScanner.BinaryHeader))
                    {
                        throw Malformed("does not begin as binary COPY data does");
                    }

                    at = headerLeft;
                    headerLeft = 0;
                }

                at += scanner.Scan(buffer.AsSpan(at, have - at), out _);
                have -= at;
                buffer.AsSpan(at, have).CopyTo(buffer);
                if (scanner.Ended)
                {
                    trailing += have;
                    have = 0;
                }
            }
            while (n > 0);

            if (format == RowFormat.Binary ? !scanner.Ended || trailing != CopyScanner.BinaryTrailer.Length : !scanner.AtRowEnd)
            {
                throw Malformed("does not end where a row ends");
            }

            return (scanner.Digest, total);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static MoltException Malformed(string how)
        => new("CopyDataMalformed", ErrorKind.InvalidData, $"COPY data {how}.", "The data is damaged: use another backup, or check the server and the network.");
}
