using System.Globalization;
using System.Runtime.InteropServices;

namespace MoltBeat.DR.Bench;

/// <summary>Where the figures were taken: without it they say nothing.</summary>
internal sealed record Machine(
    int Cores, long MemoryBytes, string CpuModel, string Kernel, string FileSystem, string PostgresVersion, string PgDumpVersion,
    string DotnetVersion, string LoadAverageAtStart)
{
    public static async Task<Machine> InspectAsync(Server server, string folder, CancellationToken cancellationToken)
    {
        var memory = Field("/proc/meminfo", "MemTotal").Split(' ')[0];
        var fileSystem = await Tool.RunAsync(
            new Command("stat", ["-f", "-c", "%T", folder], new Dictionary<string, string?>()), cancellationToken);
        var pgDump = await Tool.RunAsync(
            new Command(server.Client("pg_dump"), ["--version"], server.ClientEnvironment("postgres")), cancellationToken);
        var load = await File.ReadAllTextAsync("/proc/loadavg", cancellationToken);
        return new Machine(
            Environment.ProcessorCount,
            1024 * long.Parse(memory, CultureInfo.InvariantCulture),
            Field("/proc/cpuinfo", "model name"),
            (await File.ReadAllTextAsync("/proc/sys/kernel/osrelease", cancellationToken)).Trim(),
            fileSystem.Trim(),
            await server.QueryAsync("postgres", "SHOW server_version", cancellationToken),
            pgDump.Trim(),
            RuntimeInformation.FrameworkDescription,
            string.Join(' ', load.Split(' ')[..3]));
    }

    /// <summary>The first value that a colon-separated file of /proc has for a name; "unknown" when it has none.</summary>
    private static string Field(string file, string name)
    {
        var line = File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        return line is null ? "unknown" : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
