using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.InPlace;

/// <summary>Runs what pg_restore would do in a session of ours, and in its transaction: as the script that it writes without a connection.</summary>
internal sealed partial class RestoreScript(ClientTools tools, DumpFile dump, RestoreOptions options, IOperationObserver observer)
{
    private const int Piece = 1 << 20;

    /// <param name="session">The session, in UTF-8.</param>
    /// <param name="section">pre-data, data or post-data.</param>
    /// <param name="entries">Only these entries.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>RestoreFailed</c>, with what the server said.</exception>
    public async Task RunAsync(NpgsqlConnection session, string section, IReadOnlyCollection<DumpEntry> entries, CancellationToken cancellationToken)
    {
        var list = ScratchFile.CreateInMemory();
        await using (list.ConfigureAwait(false))
        {
            // Numbers alone: the file may lie on a disk, and names are among what is encrypted.
            await list.Stream.WriteAsync(Encoding.ASCII.GetBytes(string.Concat(entries.Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.Id};\n")))), cancellationToken).ConfigureAwait(false);
            await list.Stream.FlushAsync(cancellationToken).ConfigureAwait(false);
            var arguments = new List<string> { "--section=" + section, "--exit-on-error", "--file=-", "--use-list=" + list.Path };
            arguments.AddRange(options.NoOwner ? ["--no-owner", "--no-acl"] : []);
            arguments.AddRange(options.NoTablespaces ? ["--no-tablespaces"] : []);
            await dump.ReadAsync(tools, arguments, new Dictionary<string, string>(), observer, async (script, stop) =>
            {
                try
                {
                    using var lines = new ScriptLines(script);
                    await RunAsync(session, lines, section == "data", stop).ConfigureAwait(false);
                }
                catch (PostgresException e)
                {
                    throw new MoltException("RestoreFailed", ErrorKind.Failed, $"Restoring the {section} section failed: {e.MessageText}.", "Mend what the message names, and restore again.", options.TargetDatabase, e);
                }
            }, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task RunAsync(NpgsqlConnection session, ScriptLines lines, bool rows, CancellationToken cancellationToken)
    {
        // Only the data section holds rows, and no bodies of functions, in which a line may look like anything.
        var sql = new StringBuilder();
        async Task FlushAsync()
        {
            if (sql.ToString() is { } text && !string.IsNullOrWhiteSpace(text))
            {
                // In PL/pgSQL the server itself takes the text apart, and would refuse to begin or end a transaction.
                await DatabaseCatalog.ExecuteAsync(session, Quoted($"BEGIN EXECUTE {Quoted(text, "sql")}; END", "do").Insert(0, "DO "), cancellationToken).ConfigureAwait(false);
            }

            sql.Clear();
        }

        while (await lines.NextAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            // Large objects come in a transaction of their own.
            if (Restrict().IsMatch(line) || (rows && line is ("BEGIN;" or "COMMIT;")))
            {
                continue;
            }

            if (rows && line.StartsWith("COPY ", StringComparison.Ordinal) && line.EndsWith(" FROM stdin;", StringComparison.Ordinal))
            {
                await FlushAsync().ConfigureAwait(false);
                var copy = await session.BeginTextImportAsync(line[..^1], cancellationToken).ConfigureAwait(false);
                await using (copy.ConfigureAwait(false))
                {
                    while (await lines.NextAsync(cancellationToken).ConfigureAwait(false) is { } row && row != @"\.")
                    {
                        await copy.WriteAsync((row + "\n").AsMemory(), cancellationToken).ConfigureAwait(false);
                    }
                }

                continue;
            }

            sql.Append(line).Append('\n');
            if (rows && sql.Length > Piece && line.EndsWith(';'))
            {
                await FlushAsync().ConfigureAwait(false);
            }
        }

        await FlushAsync().ConfigureAwait(false);
    }

    /// <summary>A string constant in dollar quotes that do not occur in it.</summary>
    private static string Quoted(string text, string tag)
    {
        var quote = $"$molt_{tag}$";
        for (var i = 0; text.Contains(quote, StringComparison.Ordinal); i++)
        {
            quote = string.Create(CultureInfo.InvariantCulture, $"$molt_{tag}_{i}$");
        }

        return quote + text + quote;
    }

    [GeneratedRegex(@"^\\(un)?restrict [A-Za-z0-9]+$")]
    private static partial Regex Restrict();
}
