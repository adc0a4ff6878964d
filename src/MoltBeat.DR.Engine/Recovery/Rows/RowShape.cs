using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>
/// How one table's rows of a backup are taken in by a server where its columns may have other types by now. They are loaded as
/// what they were; a column whose type is another goes through its text, which either means the same or is refused.
/// </summary>
internal sealed class RowShape
{
    private readonly List<(string Name, string Stage, string Wanted)> columns;

    private RowShape(TableContents source, List<(string, string, string)> columns)
    {
        Source = source;
        this.columns = columns;
    }

    public TableContents Source { get; }

    /// <param name="session">Knows which types there are.</param>
    /// <param name="source">The rows.</param>
    /// <param name="wanted">The type that a column is to have; null for whatever it had, where that is there, else text.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>BackupWithoutTypes</c>.</exception>
    public static async Task<RowShape> OfAsync(RowSession session, TableContents source, Func<string, string?> wanted, CancellationToken cancellationToken)
    {
        if (source.Format == RowFormat.Binary && source.Types.Count == 0)
        {
            throw new MoltException("BackupWithoutTypes", ErrorKind.NotSupported, $"The backup was made before the types of columns were written down, so that rows of {source.Schema}.{source.Name} cannot be told from what the table has become since.",
                "Restore the table beside, with Restore-MoltBackup -Table -TargetDatabase, and copy the rows from there.", source.QuotedName);
        }

        var columns = new List<(string, string, string)>();
        for (var i = 0; i < source.Columns.Count; i++)
        {
            // An enum travels as its label in binary rows, too.
            var was = source.Types.Count > 0 ? source.Types[i] : "text";
            var stage = source.Format == RowFormat.Text || was.Contains('.', StringComparison.Ordinal) ? "text" : was;
            columns.Add((source.Columns[i], stage, wanted(source.Columns[i]) ?? (await IsThereAsync(session, was, cancellationToken).ConfigureAwait(false) ? was : "text")));
        }

        return new RowShape(source, columns);
    }

    /// <summary>Definition of the table that takes the rows as they come.</summary>
    public string StageDefinition => string.Join(", ", columns.Select((c, i) => $"s{i} {c.Stage}"));

    /// <summary>COPY into that table.</summary>
    public string CopyInto(string stage) => $"COPY {stage} FROM STDIN (FORMAT {(Source.Format == RowFormat.Binary ? "binary" : "text")})";

    /// <summary>Its rows under the columns' own names, and with the types that are wanted.</summary>
    public string Select(string stage) => $"SELECT {string.Join(", ", columns.Select((c, i) => $"{Cast(i)} AS {SqlName.Quote(c.Name)}"))} FROM {stage} s";

    /// <summary>The type that a column arrives with, and is given.</summary>
    public (int Place, string Stage, string Wanted) this[string column]
    {
        get
        {
            var place = columns.FindIndex(c => c.Name == column);
            return (place, columns[place].Stage, columns[place].Wanted);
        }
    }

    /// <summary>The columns that cannot be cast, for an error that names them.</summary>
    public async Task<List<string>> FailingAsync(RowSession session, string stage, CancellationToken cancellationToken)
    {
        var failing = new List<string>();
        for (var i = 0; i < columns.Count; i++)
        {
            try
            {
                if (columns[i].Stage != columns[i].Wanted)
                {
                    await session.ScalarAsync<long>($"SELECT count({Cast(i)}) FROM {stage} s", cancellationToken).ConfigureAwait(false);
                }
            }
            catch (PostgresException e)
            {
                failing.Add($"{columns[i].Name} ({columns[i].Stage} in the backup, {columns[i].Wanted} now): {e.MessageText}");
            }
        }

        return failing;
    }

    private string Cast(int i)
    {
        var (_, stage, wanted) = columns[i];
        return stage == wanted ? $"s.s{i}" : stage == "text" ? $"s.s{i}::{wanted}" : $"s.s{i}::text::{wanted}";
    }

    private static async Task<bool> IsThereAsync(RowSession session, string type, CancellationToken cancellationToken)
        => !type.Contains('.', StringComparison.Ordinal) || await session.ScalarAsync<bool>($"SELECT to_regtype({SqlName.Literal(type)}) IS NOT NULL", cancellationToken).ConfigureAwait(false);
}
