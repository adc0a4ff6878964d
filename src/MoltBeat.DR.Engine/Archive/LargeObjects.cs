using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>Large objects travel in <c>database.dump</c>; this proves that all of them came back, byte for byte.</summary>
public static class LargeObjects
{
    /// <summary>Digests every page of every large object that the session's snapshot shows. Needs SELECT on pg_largeobject.</summary>
    public static async Task<RowProof> DigestAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // A hole is read as zeros, and a restore writes those: so pages are compared as they read, without those that
        // are all zeros. The last page of each tells where the object ends.
        var copy = await CopyOut.OpenAsync(connection,
            """
            COPY (
              SELECT loid::int8, pageno, data FROM (
                SELECT l.loid, l.pageno, e.pageno AS last, zero,
                       CASE WHEN l.pageno = e.pageno THEN l.data ELSE l.data || substr(zero, octet_length(l.data) + 1) END AS data
                FROM (SELECT decode(repeat('00', current_setting('block_size')::int / 4), 'hex')) z (zero), pg_catalog.pg_largeobject_metadata m
                  CROSS JOIN LATERAL (SELECT max(p.pageno) FROM pg_catalog.pg_largeobject p WHERE p.loid = m.oid) e (pageno)
                  JOIN pg_catalog.pg_largeobject l ON l.loid = m.oid) pages
              WHERE octet_length(data) > 0 AND (pageno = last OR data <> zero)) TO STDOUT (FORMAT binary)
            """, RowFormat.Binary, cancellationToken).ConfigureAwait(false);
        await using (copy.ConfigureAwait(false))
        {
            var (digest, _) = await RowCounter.CountAsync(copy, RowFormat.Binary, long.MaxValue, null, cancellationToken).ConfigureAwait(false);
            return new RowProof(digest.Rows, digest.ToHex());
        }
    }
}
