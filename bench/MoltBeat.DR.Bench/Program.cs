using System.Runtime.InteropServices;
using MoltBeat.DR.Bench;

// Exit codes: 0 all ways went well, 1 a way failed, 2 wrong use or something missing, 130 stopped.
if (args is ["--help" or "-h"])
{
    Console.WriteLine(BenchOptions.Usage);
    return 0;
}

using var stop = new CancellationTokenSource();
void OnSignal(PosixSignalContext context)
{
    // Leave through the finally blocks: they end the measured programs and remove the cluster.
    context.Cancel = true;
    stop.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);
try
{
    return await RunAsync(BenchOptions.Parse(args), stop.Token) ? 0 : 1;
}
catch (Exception e) when (stop.IsCancellationRequested && e is (OperationCanceledException or BenchException))
{
    // Ctrl+C on a terminal reaches the programs too: one that has already ended of it is no failure of its own.
    Console.Error.WriteLine("bench: stopped; everything it started and wrote has been removed.");
    return 130;
}
catch (BenchException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 2;
}

static async Task<bool> RunAsync(BenchOptions options, CancellationToken cancellationToken)
{
    if (!OperatingSystem.IsLinux())
    {
        throw new BenchException("The figures come from /proc: run it on Linux.");
    }

    if (options.Only == Phase.Encryption)
    {
        return await EncryptionAsync(options, cancellationToken);
    }

    Require(options.Molt, File.Exists(options.Molt), "build it first: ./build.sh build");
    foreach (var program in new[] { "bash", "gzip", "zstd" })
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
        Require(program, found, $"install the package {program}");
    }

    // Not /tmp: on many machines that is memory, which is neither where backups go nor what should be measured.
    var root = options.Work ?? (Directory.Exists("/var/tmp") ? "/var/tmp" : Path.GetTempPath());
    var work = Path.Combine(root, $"moltbeat-bench-{Environment.ProcessId}");
    var backups = Path.Combine(work, "backups");
    ThrowawayCluster? cluster = null;
    Server? server = null;
    var created = false;
    var keep = false;
    try
    {
        Directory.CreateDirectory(backups);
        if (options.DatabaseUrl is null)
        {
            Console.Error.WriteLine($"Starting a throwaway cluster in {work}");
            cluster = await ThrowawayCluster.StartAsync(Path.Combine(work, "cluster"), cancellationToken);
            server = cluster.Server;
        }
        else
        {
            server = Server.FromUrl(options.DatabaseUrl, ThrowawayCluster.FindBin());
        }

        var machine = await Machine.InspectAsync(server, work, cancellationToken);
        var database = new BenchDatabase(server, new Dataset(options.Scale));
        var present = await database.FindAsync(cancellationToken);
        created = true;
        if (!present)
        {
            await database.CreateAsync(cancellationToken);
        }

        var tables = await database.MeasureAsync(cancellationToken);
        foreach (var table in tables)
        {
            Console.Error.WriteLine(
                FormattableString.Invariant($"{table.Name,-9} {table.Rows,8} rows, COPY text {table.CopyTextBytes / 1e6,7:F1} MB, ")
                + FormattableString.Invariant($"table {table.HeapBytes / 1e6,7:F1} MB, indexes {table.IndexBytes / 1e6,6:F1} MB"));
        }

        var runner = new Runner(server, database, backups);
        var ways = new Ways(server, options.Molt, options.Jobs);

        // Restores need something to restore: then one round of backups goes unreported.
        var backupResults = options.Only is Phase.S3 or Phase.Rows ? [] : await runner.BackupsAsync(ways.Backups, options.Only == Phase.Restore ? 1 : options.Rounds, cancellationToken);
        var restoreResults = options.Only is Phase.Backup or Phase.S3 or Phase.Rows ? [] : await runner.RestoresAsync(ways.Restores, options.Rounds, cancellationToken);
        var copyResults = options.Only is Phase.Backup or Phase.Restore or Phase.Rows ? [] : await CopiesAsync(options, server, database, work, cancellationToken);
        var rowResults = options.Only is null or Phase.Rows ? await RowsAsync(options, server, runner, cancellationToken) : [];
        var report = new Report
        {
            Options = options,
            Machine = machine,
            Settings = cluster is null ? null : ThrowawayCluster.Settings,
            Tables = tables,
            Backups = options.Only == Phase.Restore ? [] : backupResults,
            Restores = restoreResults,
            Copies = copyResults,
            Rows = rowResults,
        };
        Console.WriteLine(report.ToMarkdown());
        Directory.CreateDirectory(options.Out);
        await File.WriteAllTextAsync(Path.Combine(options.Out, "bench.json"), report.ToJson(), cancellationToken);
        if (options.Markdown is { } markdown)
        {
            await report.WriteMarkdownAsync(markdown, cancellationToken);
        }

        if (options.Keep)
        {
            keep = true;
            Console.Error.WriteLine($"Kept: {backups} and the database {Ways.Source}; use it again with --database-url '{server.Url("postgres")}'.");
            if (cluster is not null)
            {
                Console.Error.WriteLine($"Stop the cluster with: {cluster.StopCommand}");
            }
        }

        return !report.Failed;
    }
    finally
    {
        if (!keep)
        {
            if (cluster is not null)
            {
                await cluster.DisposeAsync();
            }
            else if (created)
            {
                await server!.DropAsync(Ways.Restored, CancellationToken.None);
                await server.DropAsync(Ways.Source, CancellationToken.None);
            }

            Directory.Delete(work, recursive: true);
        }
    }
}

static async Task<bool> EncryptionAsync(BenchOptions options, CancellationToken cancellationToken)
{
    EncryptionBench.UseOneCore();
    var work = Directory.CreateDirectory(Path.Combine(options.Work ?? (Directory.Exists("/var/tmp") ? "/var/tmp" : Path.GetTempPath()), $"moltbeat-bench-{Environment.ProcessId}"));
    try
    {
        Console.WriteLine(await EncryptionBench.RunAsync(work.FullName, options.Rounds, cancellationToken));
        return true;
    }
    finally
    {
        work.Delete(recursive: true);
    }
}

static async Task<IReadOnlyList<WayResult>> RowsAsync(BenchOptions options, Server server, Runner runner, CancellationToken cancellationToken)
{
    var ways = new RowWays(server, options.Molt, options.HeadlineJobs);
    await runner.BackupsAsync(ways.Backups, 1, cancellationToken);
    return await runner.RowsAsync(ways.Restore, ways.Delete, options.Rounds, cancellationToken);
}

static async Task<IReadOnlyList<WayResult>> CopiesAsync(BenchOptions options, Server server, BenchDatabase database, string work, CancellationToken cancellationToken)
{
    S3Place place;
    try
    {
        Console.Error.WriteLine("Starting a throwaway S3");
        place = await S3Place.StartAsync(cancellationToken);
    }
    catch (BenchException e) when (options.Only is null)
    {
        Console.Error.WriteLine($"bench: copies in S3 are left out: {e.Message}");
        return [];
    }

    await using (place)
    {
        var ways = new S3Ways(server, options.Molt, options.HeadlineJobs, place, Path.Combine(work, "cache"));
        var runner = new Runner(server, database, Path.Combine(work, "backups"), place);
        var made = await runner.BackupsAsync(ways.Backups, options.Rounds, cancellationToken);
        return [.. made, .. await runner.RestoresAsync(ways.Restores, options.Rounds, cancellationToken)];
    }
}

static void Require(string what, bool present, string remedy)
{
    if (!present)
    {
        throw new BenchException($"{what} is not there; {remedy}.");
    }
}
