using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Checks;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>What to bring back, and where.</summary>
public sealed record UndoOptions
{
    /// <summary>The server and the database whose replacement is to be undone.</summary>
    public required ConnectionSettings Connection { get; init; }

    /// <summary>The name that the database to bring back has now; null for the newest that was replaced.</summary>
    public string? Previous { get; init; }

    /// <summary>How long to wait for a backup of the present database.</summary>
    public TimeSpan BackupWait { get; init; } = TimeSpan.FromMinutes(10);
}

/// <summary>What undoing would do.</summary>
/// <param name="Database">The name that changes hands.</param>
/// <param name="Server">Role, address and database.</param>
/// <param name="BringsBack">The database that gets it.</param>
/// <param name="Oid">Of the database that has it now; null when none has.</param>
/// <param name="Checks">What was looked at.</param>
public sealed record UndoPlan(string Database, string Server, PreviousDatabase BringsBack, uint? Oid, IReadOnlyList<ReadinessCheck> Checks)
{
    public override string ToString() => $"bring back {BringsBack.Name}, as it was when it was replaced at {BringsBack.Replaced.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC"
        + (Oid is null ? $"; there is no {Database} now" : $"; end all sessions in the present {Database}, and keep it under another name");
}

/// <summary>What undoing has done.</summary>
public sealed record UndoResult
{
    /// <summary>The database, which is the one of before again.</summary>
    public required string Database { get; init; }

    public required string Server { get; init; }

    /// <summary>The name that it had meanwhile.</summary>
    public required string BroughtBack { get; init; }

    /// <summary>When it had been replaced, UTC: changes of after that are in the database that is kept now.</summary>
    public required DateTimeOffset StateOf { get; init; }

    /// <summary>What became of the one that had its name; null when there was none.</summary>
    public required ReplacedDatabase? Replaced { get; init; }

    public required TimeSpan Duration { get; init; }
}

/// <summary>Gives a database that was replaced its name back. What had taken its place is kept, so that this can be undone as well.</summary>
public static class UndoOperation
{
    /// <param name="options">What to bring back.</param>
    /// <param name="approve">Is asked once; until it says yes nothing is changed.</param>
    /// <param name="observer">Is told of what it waits for.</param>
    /// <param name="cancellationToken">Stops it: the name has changed hands, or has not.</param>
    /// <returns>Null when it was not approved.</returns>
    /// <exception cref="MoltException"><c>NothingToUndo</c>; else as of a replacement.</exception>
    public static async Task<UndoResult?> RunAsync(UndoOptions options, Func<UndoPlan, Task<bool>> approve, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var database = options.Connection.Database;
        var (admin, server) = await MaintenanceSession.OpenAsync(options.Connection, database, "undo", cancellationToken).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        await using (admin.ConfigureAwait(false))
        {
            try
            {
                var version = int.Parse((await DatabaseCatalog.ScalarAsync<string>(admin, "SHOW server_version_num", cancellationToken).ConfigureAwait(false))!, CultureInfo.InvariantCulture);
                var (previous, mark) = await ChooseAsync(admin, server, options, cancellationToken).ConfigureAwait(false);
                var live = await LiveDatabase.FindAsync(admin, database, version, cancellationToken).ConfigureAwait(false);
                var report = new ReadinessReport();
                if (live is not null)
                {
                    await new ReplacementChecks(server, admin, live, database, cancellationToken).ForUndoAsync(report).ConfigureAwait(false);
                    report.ThrowIfFailed();
                }

                if (!await approve(new UndoPlan(database, server.Settings.WithDatabase(database).Describe(), previous, live?.Oid, report.Checks)).ConfigureAwait(false))
                {
                    return null;
                }

                await DatabaseCatalog.ExecuteAsync(admin, "SET default_transaction_read_only = off", cancellationToken).ConfigureAwait(false);
                await ReplacementLock.TakeAsync(admin, database, cancellationToken).ConfigureAwait(false);
                var swap = new DatabaseSwap(server, version, new SwapRequest
                {
                    Name = database,
                    Oid = live?.Oid,
                    Incoming = previous.Name,
                    IncomingOid = previous.Oid,
                    BackupWait = options.BackupWait,
                    Finish = (session, _, token) => DatabaseCatalog.ExecuteAsync(session, ReplacementMark.Statement(database, mark.Comment), token),
                }, observer);
                var replaced = await swap.RunAsync(cancellationToken).ConfigureAwait(false);
                return new UndoResult
                {
                    Database = database,
                    Server = server.Settings.WithDatabase(database).Describe(),
                    BroughtBack = previous.Name,
                    StateOf = previous.Replaced,
                    Replaced = live is null ? null : replaced,
                    Duration = clock.Elapsed,
                };
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Undoing the replacement of {database}", database) is { } translated)
            {
                throw translated;
            }
        }
    }

    private static async Task<(PreviousDatabase Database, ReplacementMark Mark)> ChooseAsync(NpgsqlConnection admin, PinnedServer server, UndoOptions options, CancellationToken cancellationToken)
    {
        var all = await PreviousDatabases.ListAsync(admin, server, cancellationToken).ConfigureAwait(false);
        var mine = all.Where(p => p.Database.Of == options.Connection.Database).ToList();
        var chosen = options.Previous is null ? mine.Take(1).ToList() : mine.Where(p => p.Database.Name == options.Previous).ToList();
        if (chosen.Count == 1)
        {
            return chosen[0];
        }

        var there = mine.Count > 0 ? new StringBuilder(" There are: ").AppendJoin(", ", mine.Select(p => p.Database.Name)).Append('.').ToString() : "";
        throw new MoltException("NothingToUndo", ErrorKind.NotFound,
            (options.Previous is null ? $"No database on this server says that it was {options.Connection.Database} and was replaced." : $"{options.Previous} does not say that it was {options.Connection.Database} and was replaced.") + there,
            "See all databases and their comments with psql's \\l+; one whose comment is lost has to be renamed by hand (ALTER DATABASE … RENAME).", options.Connection.Database);
    }
}
