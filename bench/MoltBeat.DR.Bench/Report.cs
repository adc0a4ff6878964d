using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MoltBeat.DR.Bench;

/// <summary>What a whole run found, for people and for programs.</summary>
internal sealed class Report
{
    private const string Begin = "<!-- bench:begin -->";
    private const string End = "<!-- bench:end -->";

    private static readonly JsonSerializerOptions Camel = new(JsonSerializerDefaults.Web);

    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly DateTimeOffset _taken = DateTimeOffset.UtcNow;

    public required BenchOptions Options { get; init; }

    public required Machine Machine { get; init; }

    /// <summary>The throwaway cluster's settings; null for a server that is not ours.</summary>
    public required IReadOnlyDictionary<string, string>? Settings { get; init; }

    public required IReadOnlyList<TableSize> Tables { get; init; }

    public required IReadOnlyList<WayResult> Backups { get; init; }

    public required IReadOnlyList<WayResult> Restores { get; init; }

    /// <summary>Backups to a folder and S3 and restores from there, and the same with the folder alone.</summary>
    public required IReadOnlyList<WayResult> Copies { get; init; }

    /// <summary>Single rows into the living database.</summary>
    public required IReadOnlyList<WayResult> Rows { get; init; }

    private IEnumerable<WayResult> All => Backups.Concat(Restores).Concat(Copies).Concat(Rows);

    public bool Failed => All.Any(result => result.Failure is not null);

    private long OurPeakBytes => All.Where(result => result.Way.Ours).Select(result => result.PeakBytes).DefaultIfEmpty().Max();

    /// <summary>The fastest of pg_dump's ways at the headline's number of jobs; null unless all of them went well.</summary>
    private WayResult? BestPgDump
    {
        get
        {
            string[] ids = [Ways.Gzip, Ways.Zstd, Ways.Directory(Options.HeadlineJobs)];
            var candidates = ids.Select(Find).ToList();
            return candidates.TrueForAll(result => result?.Seconds is not null) ? candidates.MinBy(result => result!.Seconds) : null;
        }
    }

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        text.Append(Invariant($"Taken {_taken:yyyy-MM-dd} at scale {Options.Scale:R}, {Options.Rounds} round{(Options.Rounds == 1 ? "" : "s")}, on {Machine.Cores} cores of "))
            .Append(Invariant($"{Machine.CpuModel}, {Machine.MemoryBytes / 1e9:F0} GB of memory, {Machine.FileSystem}, Linux {Machine.Kernel}; "))
            .Append(Invariant($"PostgreSQL {Machine.PostgresVersion}, {Machine.PgDumpVersion}, {Machine.DotnetVersion}; "))
            .Append(Settings is null
                ? "a server with settings of its own"
                : string.Join(", ", Settings.Select(setting => $"{setting.Key} {setting.Value}")) + ", else PostgreSQL's defaults (fsync on)")
            .Append(Invariant($"; load average at the start {Machine.LoadAverageAtStart}.\n\n"))
            .Append(Invariant($"The database: {Tables.Sum(t => t.Rows)} rows, {Mega(Tables.Sum(t => t.CopyTextBytes))} MB of COPY text, "))
            .Append(Invariant($"{Mega(Tables.Sum(t => t.HeapBytes))} MB of tables, {Mega(Tables.Sum(t => t.IndexBytes))} MB of indexes.\n"));
        AppendWays(text, "Backup", Backups, Ways.Gzip);
        AppendWays(text, "Restore", Restores, Ways.Psql);
        AppendCopies(text);
        AppendWays(text, "Rows", Rows, "");

        text.Append(Invariant($"\nAt {Options.HeadlineJobs} jobs"))
            .Append(BestPgDump is { } best ? $", where the fastest way of pg_dump is `{best.Way.Title}`" : "").Append(":\n\n");
        AppendTable(
            text,
            ["ratio", "measured", "target on 2 cores"],
            [
                .. Ratios().Where(ratio => ratio.Wanted).Select(ratio => new[]
                {
                    ratio.Name,
                    ratio.Value is { } value ? Invariant($"{value:F3}") : "–",
                    ratio.Target,
                }),
                ["our largest peak, MB", OurPeakBytes == 0 ? "–" : Mega(OurPeakBytes), "< 400"],
            ]);
        foreach (var result in All.Where(result => result.Failure is not null))
        {
            text.Append(Invariant($"\nFAILED: {result.Way.Id}: {result.Failure}\n"));
        }

        return text.ToString();
    }

    public string ToJson()
    {
        var ways = new JsonObject();
        foreach (var result in All)
        {
            ways[result.Way.Id] = new JsonObject
            {
                ["phase"] = result.Way is BackupWay ? "backup" : "restore",
                ["jobs"] = result.Way.Jobs,
                ["seconds"] = Array(result.Runs, run => run.Seconds),
                ["medianSeconds"] = Round(result.Seconds),
                ["cpuSeconds"] = Array(result.Runs, run => run.CpuSeconds),
                ["serverCpuSeconds"] = Array(result.Runs, run => run.ServerCpuSeconds),
                ["storeCpuSeconds"] = Array(result.Runs, run => run.StoreCpuSeconds),
                ["bytes"] = result.Bytes,
                ["peakBytes"] = result.PeakBytes,
                ["peakTreeBytes"] = result.PeakTreeBytes,
                ["failure"] = result.Failure,
            };
        }

        var ratios = new JsonObject();
        foreach (var ratio in Ratios())
        {
            ratios[ratio.Name] = Round(ratio.Value);
        }

        var report = new JsonObject
        {
            ["takenUtc"] = _taken.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            ["scale"] = Options.Scale,
            ["rounds"] = Options.Rounds,
            ["headlineJobs"] = Options.HeadlineJobs,
            ["machine"] = JsonSerializer.SerializeToNode(Machine, Camel),
            ["serverSettings"] = Settings is null ? null : JsonSerializer.SerializeToNode(Settings),
            ["database"] = new JsonObject
            {
                ["rows"] = Tables.Sum(t => t.Rows),
                ["copyTextBytes"] = Tables.Sum(t => t.CopyTextBytes),
                ["heapBytes"] = Tables.Sum(t => t.HeapBytes),
                ["indexBytes"] = Tables.Sum(t => t.IndexBytes),
                ["tables"] = JsonSerializer.SerializeToNode(Tables, Camel),
            },
            ["ways"] = ways,
            ["bestPgDump"] = BestPgDump?.Way.Id,
            ["ourPeakBytes"] = OurPeakBytes,
            ["ratios"] = ratios,
        };
        return report.ToJsonString(Indented) + "\n";
    }

    /// <summary>Writes the table to a file of its own, or between the marks of one that has them.</summary>
    public async Task WriteMarkdownAsync(string path, CancellationToken cancellationToken)
    {
        var table = ToMarkdown();
        var existing = File.Exists(path) ? await File.ReadAllTextAsync(path, cancellationToken) : "";
        var begin = existing.IndexOf(Begin, StringComparison.Ordinal);
        var end = existing.IndexOf(End, StringComparison.Ordinal);
        if (begin >= 0 && end > begin)
        {
            table = $"{existing[..(begin + Begin.Length)]}\n{table}{existing[end..]}";
        }

        await File.WriteAllTextAsync(path, table, cancellationToken);
    }

    private sealed record Ratio(string Name, double? Value, string Target, bool Wanted);

    private IEnumerable<Ratio> Ratios()
    {
        var jobs = Options.HeadlineJobs;
        var backup = Options.Only is null or Phase.Backup;
        var restore = Options.Only is null or Phase.Restore;
        double? Seconds(string id) => Find(id)?.Seconds;
        var ours = Find(Ways.Backup(jobs));
        var unproved = Seconds(Ways.Unproved(jobs));
        yield return new("backup_vs_gzip", Seconds(Ways.Gzip) / ours?.Seconds, "≥ 4", backup);
        yield return new("backup_vs_best_pg_dump", BestPgDump?.Seconds / ours?.Seconds, "≥ 1.15", backup);
        yield return new("restore_vs_psql", Seconds(Ways.Psql) / unproved, "≥ 1.25", restore);
        yield return new("restore_vs_pg_restore", Seconds(Ways.PgRestore(jobs)) / unproved, "≥ 1.15", restore);
        yield return new("proof_overhead", (Seconds(Ways.Proved(jobs)) / unproved) - 1, "≤ 0.4", restore);
        yield return new(
            "size_vs_best_pg_dump",
            ours?.Seconds is null ? null : (double)ours.Bytes / BestPgDump?.Bytes,
            "< 1",
            backup);

        // Not a ratio, but what is promised of it.
        yield return new("restore_rows_seconds", Seconds(RowWays.RestoreRows), "< 15", Rows.Count > 0);

        // Of these two lower is better.
        yield return new("s3_backup_overhead", Overhead(S3Ways.BothBackup, S3Ways.LocalBackup).Whole, "≤ 1.15", Copies.Count > 0);
        yield return new("s3_backup_overhead_without_store", Overhead(S3Ways.BothBackup, S3Ways.LocalBackup).WithoutStore, "", Copies.Count > 0);
        yield return new("s3_restore_overhead", Overhead(S3Ways.FarRestore, S3Ways.LocalRestore).Whole, "≤ 1.25", Copies.Count > 0);
        yield return new("s3_restore_overhead_without_store", Overhead(S3Ways.FarRestore, S3Ways.LocalRestore).WithoutStore, "", Copies.Count > 0);
    }

    /// <summary>
    /// The time with S3 by the time without; and the same less what the store itself worked meanwhile, spread over all cores:
    /// about what it would be with the store on a machine of its own, where all cores are busy.
    /// </summary>
    private (double? Whole, double? WithoutStore) Overhead(string with, string without)
    {
        var (far, near) = (Find(with), Find(without));
        var storesWork = (far?.StoreCpuSeconds - near?.StoreCpuSeconds) / Machine.Cores;
        return (far?.Seconds / near?.Seconds, (far?.Seconds - storesWork) / near?.Seconds);
    }

    private WayResult? Find(string id) => All.FirstOrDefault(result => result.Way.Id == id);

    private void AppendWays(StringBuilder text, string title, IReadOnlyList<WayResult> results, string oldWay)
    {
        if (results.Count == 0)
        {
            return;
        }

        var old = Find(oldWay)?.Seconds;
        text.Append('\n');
        AppendTable(
            text,
            [title, "jobs", "seconds", "× old way", "runs", "client CPU s", "server CPU s", "MB", "peak MB", "peak MB, all"],
            [
                .. results.Select(result => new[]
                {
                    result.Way.Title,
                    result.Way.Jobs is { } jobs ? Invariant($"{jobs}") : "–",
                    result.Failure is not null ? "FAILED" : Invariant($"{result.Seconds:F2}"),
                    old / result.Seconds is { } ratio ? Invariant($"{ratio:F2}") : "–",
                    string.Join(" ", result.Runs.Select(run => Invariant($"{run.Seconds:F2}"))),
                    result.CpuSeconds is { } cpu ? Invariant($"{cpu:F1}") : "–",
                    result.ServerCpuSeconds is { } server ? Invariant($"{server:F1}") : "–",
                    result.Bytes == 0 ? "–" : Mega(result.Bytes),
                    result.PeakBytes == 0 ? "–" : Mega(result.PeakBytes),
                    result.PeakTreeBytes == 0 ? "–" : Mega(result.PeakTreeBytes),
                }),
            ]);
    }

    private void AppendCopies(StringBuilder text)
    {
        if (Copies.Count == 0)
        {
            return;
        }

        text.Append('\n');
        AppendTable(
            text,
            ["Copies in S3", "jobs", "seconds", "runs", "client CPU s", "server CPU s", "store CPU s", "MB", "peak MB"],
            [
                .. Copies.Select(result => new[]
                {
                    result.Way.Title,
                    Invariant($"{result.Way.Jobs}"),
                    result.Failure is not null ? "FAILED" : Invariant($"{result.Seconds:F2}"),
                    string.Join(" ", result.Runs.Select(run => Invariant($"{run.Seconds:F2}"))),
                    result.CpuSeconds is { } cpu ? Invariant($"{cpu:F1}") : "–",
                    result.ServerCpuSeconds is { } server ? Invariant($"{server:F1}") : "–",
                    result.StoreCpuSeconds is { } store ? Invariant($"{store:F1}") : "–",
                    result.Bytes == 0 ? "–" : Mega(result.Bytes),
                    result.PeakBytes == 0 ? "–" : Mega(result.PeakBytes),
                }),
            ]);
    }

    /// <summary>A Markdown table, padded so that it reads as well on a terminal.</summary>
    private static void AppendTable(StringBuilder text, string[] header, string[][] rows)
    {
        var cells = rows.Select(row => row.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal)).ToArray()).ToList();
        var widths = header.Select((name, column) => cells.Select(row => row[column].Length).Append(name.Length).Max()).ToArray();
        void Line(IEnumerable<string> line) => text.Append("| ").AppendJoin(" | ", line).Append(" |\n");
        Line(header.Select((name, column) => name.PadRight(widths[column])));
        Line(widths.Select((width, column) => column == 0 ? new string('-', width) : new string('-', width - 1) + ":"));
        foreach (var row in cells)
        {
            Line(row.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column])));
        }
    }

    private static JsonArray Array(IReadOnlyList<Measurement> runs, Func<Measurement, double?> value) =>
        [.. runs.Select(run => (JsonNode?)Round(value(run)))];

    private static double? Round(double? value) => value is { } number && double.IsFinite(number) ? Math.Round(number, 4) : null;

    private static string Mega(long bytes) => Invariant($"{bytes / 1e6:F1}");

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
