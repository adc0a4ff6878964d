using System.Globalization;

namespace MoltBeat.DR.Bench;

/// <summary>Runs the ways in turn: A B C D, A B C D, so that a slow spell of the machine meets them all.</summary>
/// <param name="place">Where backups go beside the folder; null for nowhere.</param>
internal sealed class Runner(Server server, BenchDatabase database, string folder, S3Place? place = null)
{
    /// <summary>Path of each backup way's last result.</summary>
    private readonly Dictionary<string, string> _backups = new(StringComparer.Ordinal);

    public async Task<IReadOnlyList<WayResult>> BackupsAsync(IReadOnlyList<BackupWay> ways, int rounds, CancellationToken cancellationToken)
    {
        var results = ways.Select(way => new WayResult(way)).ToList();
        for (var round = 1; round <= rounds; round++)
        {
            foreach (var result in results.Where(result => result.Failure is null))
            {
                Console.Error.Write($"[{round}/{rounds}] {result.Way.Id,-30}");
                var way = (BackupWay)result.Way;
                var path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{way.Id}.{round}"));
                await RunAsync(result, () => way.Command(path), cancellationToken);
                if (result.Failure is null && (result.Bytes = SizeOf(path)) == 0)
                {
                    result.Failure = "ended with exit code 0 and left no backup";
                }

                if (_backups.Remove(way.Id, out var previous))
                {
                    Delete(previous);
                    await (place?.RemoveAsync(Path.GetFileName(previous), cancellationToken) ?? Task.CompletedTask);
                }

                if (result.Failure is null)
                {
                    _backups.Add(way.Id, path);
                }

                Say(result);
            }
        }

        return results;
    }

    public async Task<IReadOnlyList<WayResult>> RestoresAsync(IReadOnlyList<RestoreWay> ways, int rounds, CancellationToken cancellationToken)
    {
        var expected = await database.FingerprintAsync(Ways.Source, cancellationToken);
        var results = ways.Select(way => new WayResult(way)).ToList();
        for (var round = 1; round <= rounds; round++)
        {
            foreach (var result in results.Where(result => result.Failure is null))
            {
                Console.Error.Write($"[{round}/{rounds}] {result.Way.Id,-30}");
                var way = (RestoreWay)result.Way;
                if (_backups.TryGetValue(way.From, out var path))
                {
                    result.Bytes = SizeOf(path);
                    await RunAsync(result, () => way.Command(path), cancellationToken);
                    result.Failure ??= await CompareAsync(expected, cancellationToken);
                    await server.DropAsync(Ways.Restored, cancellationToken);
                }
                else
                {
                    result.Failure = $"there is no backup to restore, as {way.From} failed";
                }

                Say(result);
            }
        }

        return results;
    }

    /// <summary>Loses rows, and has the way bring them back, in the source itself; the undo files stay beside the backup.</summary>
    public async Task<IReadOnlyList<WayResult>> RowsAsync(RestoreWay way, string delete, int rounds, CancellationToken cancellationToken)
    {
        var expected = await database.FingerprintAsync(Ways.Source, cancellationToken);
        var result = new WayResult(way);
        for (var round = 1; round <= rounds && result.Failure is null; round++)
        {
            Console.Error.Write($"[{round}/{rounds}] {way.Id,-30}");
            if (_backups.TryGetValue(way.From, out var path))
            {
                await server.QueryAsync(Ways.Source, delete, cancellationToken);
                result.Bytes = SizeOf(path);
                await RunAsync(result, () => way.Command(path), cancellationToken);
                var found = await database.FingerprintAsync(Ways.Source, cancellationToken);
                result.Failure ??= found == expected ? null : $"the database is not what it was: {found.ReplaceLineEndings("; ")} in place of {expected.ReplaceLineEndings("; ")}";
            }
            else
            {
                result.Failure = $"there is no backup to restore, as {way.From} failed";
            }

            Say(result);
        }

        return [result];
    }

    private async Task RunAsync(WayResult result, Func<Command> command, CancellationToken cancellationToken)
    {
        // What the run before left dirty, in the server or the kernel, is not this one's to write.
        await server.QueryAsync("postgres", "CHECKPOINT", cancellationToken);
        await Tool.RunAsync(new Command("sync", [], new Dictionary<string, string?>()), cancellationToken);
        try
        {
            var run = await Measurement.RunAsync(command(), !result.Way.Ours, server.Pid, place?.Pid, cancellationToken);
            result.Failure = run.Failure;
            result.Add(run);
        }
        catch (BenchException e)
        {
            result.Failure = e.Message;
        }
    }

    private async Task<string?> CompareAsync(string expected, CancellationToken cancellationToken)
    {
        try
        {
            var restored = await database.FingerprintAsync(Ways.Restored, cancellationToken);
            return restored == expected
                ? null
                : $"the restored database differs: {restored.ReplaceLineEndings("; ")} in place of {expected.ReplaceLineEndings("; ")}";
        }
        catch (BenchException e)
        {
            return $"the restored database cannot be looked at: {e.Message}";
        }
    }

    private static void Say(WayResult result) =>
        Console.Error.WriteLine(
            result.Failure is null
                ? string.Create(CultureInfo.InvariantCulture, $" {result.Runs[^1].Seconds,8:F2} s")
                : $" FAILED: {result.Failure}");

    private static long SizeOf(string path) =>
        Directory.Exists(path)
            ? Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length)
            : File.Exists(path) ? new FileInfo(path).Length : 0;

    private static void Delete(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else
        {
            File.Delete(path);
        }
    }
}
