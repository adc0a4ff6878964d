using System.Globalization;
using System.Text;

namespace MoltBeat.DR.Bench;

/// <param name="CopyTextBytes">What <c>COPY … TO STDOUT</c> gives.</param>
internal sealed record TableSize(string Name, long Rows, long CopyTextBytes, long HeapBytes, long IndexBytes);

/// <summary>Puts a <see cref="Dataset"/> into a server and looks at it.</summary>
internal sealed class BenchDatabase(Server server, Dataset dataset)
{
    /// <summary>
    /// Whether the server has this very data set already. A database of the same name that is something else is refused:
    /// it may be somebody's.
    /// </summary>
    public async Task<bool> FindAsync(CancellationToken cancellationToken)
    {
        var present = false;
        foreach (var name in new[] { Ways.Source, Ways.Restored })
        {
            var comment = await server.QueryAsync(
                "postgres",
                $"SELECT coalesce(shobj_description(oid, 'pg_database'), 'no comment') FROM pg_database WHERE datname = '{name}'",
                cancellationToken);
            if (comment.Length > 0 && !(name == Ways.Source && comment == dataset.Signature))
            {
                throw new BenchException($"The server at {server.Description} has a database {name} that is not '{dataset.Signature}': drop it first.");
            }

            present |= comment.Length > 0;
        }

        return present;
    }

    public async Task CreateAsync(CancellationToken cancellationToken)
    {
        await server.QueryAsync("postgres", $"CREATE DATABASE {Ways.Source} TEMPLATE template0", cancellationToken);
        await server.QueryAsync(Ways.Source, Dataset.Tables, cancellationToken);
        foreach (var table in dataset.All)
        {
            Console.Error.WriteLine($"Loading {table.Name}: {table.Rows} rows");
            await LoadAsync(table, cancellationToken);
        }

        Console.Error.WriteLine("Building indexes and keys");
        await server.QueryAsync(Ways.Source, "SET maintenance_work_mem = '512MB';\n" + Dataset.Indexes, cancellationToken);
        await server.QueryAsync(
            Ways.Source, "SELECT setval(pg_get_serial_sequence('posts', 'id'), max(id)) FROM posts", cancellationToken);
        await server.QueryAsync(Ways.Source, "VACUUM ANALYZE", cancellationToken);
        await server.QueryAsync(Ways.Source, "CHECKPOINT", cancellationToken);
        await server.QueryAsync("postgres", $"COMMENT ON DATABASE {Ways.Source} IS '{dataset.Signature}'", cancellationToken);
    }

    public async Task<IReadOnlyList<TableSize>> MeasureAsync(CancellationToken cancellationToken)
    {
        var sizes = new List<TableSize>();
        foreach (var table in dataset.All)
        {
            var fields = (await server.QueryAsync(
                Ways.Source,
                $"SELECT count(*), pg_table_size('{table.Name}'), pg_indexes_size('{table.Name}') FROM {table.Name}",
                cancellationToken)).Split('\t');
            var copied = await Tool.RunAsync(
                new Command(
                    "bash",
                    ["-c", "set -o pipefail; psql -X -q -v ON_ERROR_STOP=1 -c \"COPY $1 TO STDOUT\" | wc -c", "bash", table.Name],
                    server.ClientEnvironment(Ways.Source)),
                cancellationToken);
            sizes.Add(new(table.Name, Number(fields[0]), Number(copied), Number(fields[1]), Number(fields[2])));
        }

        return sizes;
    }

    /// <summary>
    /// What a restored database must agree in with the source: every table's rows, valid indexes, validated constraints
    /// and the sequence. Cheap, and looked at outside the measured time.
    /// </summary>
    public Task<string> FingerprintAsync(string database, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder();
        foreach (var table in dataset.All)
        {
            sql.Append("SELECT '").Append(table.Name).Append("' AS what, count(*) FROM public.").Append(table.Name).Append(" UNION ALL ");
        }

        sql.Append(
            """
            SELECT 'valid indexes', count(*) FROM pg_index WHERE indisvalid AND indrelid >= 16384
            UNION ALL SELECT 'valid constraints', count(*) FROM pg_constraint WHERE convalidated AND conrelid >= 16384
            UNION ALL SELECT 'posts sequence', last_value FROM public.posts_id_seq
            ORDER BY 1
            """);
        return server.QueryAsync(database, sql.ToString(), cancellationToken);
    }

    private Task LoadAsync(DatasetTable table, CancellationToken cancellationToken) =>
        Tool.RunAsync(
            new Command(
                server.Client("psql"),
                ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", $"COPY {table.Name} ({table.Columns}) FROM STDIN"],
                server.ClientEnvironment(Ways.Source)),
            cancellationToken,
            async (input, token) =>
            {
                var rows = new RowBuffer();
                for (var i = 0L; i < table.Rows; i++)
                {
                    table.Write(i, rows);
                    rows.EndRow();
                    if (rows.Full)
                    {
                        await input.WriteAsync(rows.WrittenMemory, token);
                        rows.Clear();
                    }
                }

                await input.WriteAsync(rows.WrittenMemory, token);
            });

    private static long Number(string text) => long.Parse(text.AsSpan().Trim(), CultureInfo.InvariantCulture);
}
