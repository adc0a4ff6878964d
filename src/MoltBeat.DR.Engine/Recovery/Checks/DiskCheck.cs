using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Checks;

/// <summary>Whether the server's disk holds one database more. Where it cannot be known, that is said.</summary>
internal sealed class DiskCheck(PinnedServer server, NpgsqlConnection admin, RestoreOptions options, CancellationToken cancellationToken)
{
    private const string Remedy = "Free space on the server; Remove-MoltPreviousDatabase removes replaced databases.";

    /// <param name="contents">Its rows' bytes are the least that is needed.</param>
    /// <param name="live">The database that the new one takes the place of: the new one will hardly be smaller.</param>
    /// <param name="tablespace">Where it is made; null for the server's default.</param>
    public async Task<Finding> RunAsync(Contents contents, LiveDatabase? live, string? tablespace)
    {
        var rows = contents.Tables.Sum(t => t.RawBytes);
        var least = Math.Max(rows, live?.Size ?? 0);
        var place = options.ServerFreeBytes is { } given ? (Free: given, Where: "as was given") : await FreeAsync(tablespace).ConfigureAwait(false);
        if (place is not { } space)
        {
            return Finding.Unknown($"what is free on the server's disk cannot be seen from here; at least {Text(least)} are needed", "Look there (df), or say it with -ServerFreeBytes.");
        }

        var message = $"{Text(space.Free)} are free ({space.Where}), at least {Text(least)} are needed";
        if (space.Free < least)
        {
            return options.IgnoreDiskSpace ? Finding.Warning(message + "; that is not heeded, as was asked", Remedy)
                : throw new MoltException("DiskTooSmall", ErrorKind.ResourceFull, $"The server's disk does not hold a second database: {message}.", $"{Remedy} -IgnoreDiskSpace goes on all the same.", options.TargetDatabase);
        }

        // Indexes are not in the backup, and what they take is not known.
        return space.Free < least + (least / 2) ? Finding.Warning(message + ", and indexes and write-ahead log besides", Remedy) : Finding.Pass(message);
    }

    private async Task<(long Free, string Where)?> FreeAsync(string? tablespace)
    {
        if (!(server.Address.IsUnixSocket || server.Address.Address is "127.0.0.1" or "::1" || server.Address.Host is "127.0.0.1" or "::1"))
        {
            return null;
        }

        try
        {
            // A port of this machine may lead elsewhere. The same folder, changed at the same moment, is the server's.
            var folder = (await DatabaseCatalog.ScalarAsync<string>(admin, "SHOW data_directory", cancellationToken).ConfigureAwait(false))!;
            var changed = await DatabaseCatalog.ScalarAsync<long>(admin, "SELECT extract(epoch FROM modification)::bigint FROM pg_stat_file('.')", cancellationToken).ConfigureAwait(false);
            if (!Directory.Exists(folder) || new DateTimeOffset(Directory.GetLastWriteTimeUtc(folder), TimeSpan.Zero).ToUnixTimeSeconds() != changed)
            {
                return null;
            }

            if (tablespace is not null && await DatabaseCatalog.ScalarAsync<string>(admin, $"SELECT pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace WHERE spcname = {SqlName.Literal(tablespace)}", cancellationToken).ConfigureAwait(false) is { Length: > 0 } location)
            {
                folder = location;
            }

            return (new DriveInfo(folder).AvailableFreeSpace, $"at {folder}");
        }
        catch (Exception e) when (e is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } or IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private static string Text(long bytes) => bytes switch
    {
        >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
    };
}
