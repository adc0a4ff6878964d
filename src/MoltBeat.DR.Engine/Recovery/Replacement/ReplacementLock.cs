using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>Keeps a second replacement, undoing or removal for the same database away. The server lets go of it with the session.</summary>
internal static class ReplacementLock
{
    /// <summary>The upper half of the key: "mols".</summary>
    private const long Key = 0x6d6f6c73;

    /// <param name="session">Holds it, in a database that all of us take: such locks are per database.</param>
    /// <param name="database">The name that changes hands.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    /// <exception cref="MoltException"><c>ReplaceRunning</c>.</exception>
    public static async Task TakeAsync(NpgsqlConnection session, string database, CancellationToken cancellationToken)
    {
        if (!await DatabaseCatalog.ScalarAsync<bool>(session, $"SELECT pg_try_advisory_lock({Of(database)})", cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("ReplaceRunning", ErrorKind.Busy, $"Another replacement of {database}, or the undoing of one, is under way.", "Wait until it has ended.", database);
        }
    }

    public static Task ReleaseAsync(NpgsqlConnection session, string database, CancellationToken cancellationToken)
        => DatabaseCatalog.ExecuteAsync(session, $"SELECT pg_advisory_unlock({Of(database)})", cancellationToken);

    private static string Of(string database)
        => ((Key << 32) | BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(database)))).ToString(CultureInfo.InvariantCulture);
}
