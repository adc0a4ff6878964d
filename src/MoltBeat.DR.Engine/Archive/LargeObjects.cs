using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>Large objects travel in <c>database.dump</c>; this proves that all of them came back, byte for byte.</summary>
public static class LargeObjects
{
    /// <summary>Digests every page of every large object that the session's snapshot shows. Needs SELECT on pg_largeobject.</summary>
    public static async Task<RowProof> DigestAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // Pages are compared without those that hold nothing: whether such a page exists is of no consequence.
        var copy = await CopyOut.OpenAsync(connection,
            "COPY (SELECT loid::int8, pageno, data FROM pg_catalog.pg_largeobject WHERE octet_length(data) > 0) TO STDOUT (FORMAT binary)", RowFormat.Binary, cancellationToken).ConfigureAwait(false);
        await using (copy.ConfigureAwait(false))
        {
            var (digest, _) = await RowCounter.CountAsync(copy, RowFormat.Binary, long.MaxValue, null, cancellationToken).ConfigureAwait(false);
            return new RowProof(digest.Rows, digest.ToHex());
        }
    }
}
