using System.Globalization;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Backup;

/// <summary>One table that a backup will copy.</summary>
/// <param name="Table">Schema and name.</param>
/// <param name="Bytes">Bytes that it takes on the server now.</param>
public sealed record TableSize(string Table, long Bytes);

/// <summary>
/// What a backup is going to do. When there is a preview, the server has been reached, the client programs have been found
/// and the tables have been looked at, in a transaction that can only read and holds no lock when it is over: the backup
/// itself looks again, under its locks.
/// </summary>
public sealed class BackupPreview
{
    private BackupPreview()
    {
    }

    public required string Database { get; init; }

    /// <summary>Tables whose rows will be copied, the largest first.</summary>
    public required IReadOnlyList<TableSize> Tables { get; init; }

    /// <summary>Bytes that these tables take on the server; what a backup of them will have is not known.</summary>
    public long Bytes => Tables.Sum(t => t.Bytes);

    /// <summary>Tables left to pg_dump or without rows of their own, each with the reason.</summary>
    public required IReadOnlyList<string> LeftToPgDump { get; init; }

    /// <summary>The stores that can be written to.</summary>
    public required IReadOnlyList<string> Destinations { get; init; }

    /// <summary>Version of the client programs.</summary>
    public required string ToolVersion { get; init; }

    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Tables.Count:N0} tables of {Bytes / 1e6:N1} MB with pg_dump {ToolVersion} to {string.Join(", ", Destinations)}");

    /// <param name="connection">A session with pinned settings.</param>
    /// <param name="tools">The client programs.</param>
    /// <param name="destinations">Where the archive will go.</param>
    /// <param name="options">What is asked for.</param>
    /// <param name="cancellationToken">Stops the queries.</param>
    /// <exception cref="MoltException">As of <see cref="TableSelection.MakeAsync"/>, and <c>LockTimeout</c>.</exception>
    internal static async Task<BackupPreview> MakeAsync(NpgsqlConnection connection, ClientTools tools, IReadOnlyList<string> destinations, BackupOptions options, CancellationToken cancellationToken)
    {
        await DatabaseCatalog.ExecuteAsync(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", cancellationToken).ConfigureAwait(false);
        List<SourceTable> tables;
        try
        {
            tables = await DatabaseCatalog.TablesAsync(connection, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            // Even a table's size waits for whoever has locked it for himself.
            await DatabaseCatalog.ExecuteAsync(connection, "ROLLBACK", cancellationToken).ConfigureAwait(false);
            throw await LockHolders.TimeoutAsync(connection, options.LockTimeout, "a table", cancellationToken).ConfigureAwait(false);
        }

        var properties = await DatabaseCatalog.PropertiesAsync(connection, cancellationToken).ConfigureAwait(false);
        var standby = await DatabaseCatalog.ScalarAsync<bool>(connection, "SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false);
        var selection = await TableSelection.MakeAsync(connection, tables, standby, properties.Encoding, options, cancellationToken).ConfigureAwait(false);
        await DatabaseCatalog.ExecuteAsync(connection, "ROLLBACK", cancellationToken).ConfigureAwait(false);
        string Shown(string name) => ByteText.Shown(name, properties.Encoding);
        return new BackupPreview
        {
            Database = properties.Name,
            Tables = selection.Copied.OrderByDescending(t => t.Bytes).Select(t => new TableSize(Shown(t.ToString()), t.Bytes)).ToList(),
            LeftToPgDump = selection.LeftToPgDump.Select(t => $"{Shown($"{t.Schema}.{t.Name}")}: {t.Reason}").ToList(),
            Destinations = destinations,
            ToolVersion = tools.Version,
        };
    }
}
