using System.Diagnostics;
using System.Text;

namespace MoltBeat.TestServers;

/// <summary>Runs a stock program to its end.</summary>
public static class Tool
{
    /// <summary>The folders of Debian's client programs, newest first, searched when a program is not on the PATH.</summary>
    private static IEnumerable<string> Folders =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Concat(PostgresBinaries.DebianFolders)
        .Append("/usr/sbin");

    /// <summary>The full path of a program, or null when this machine has none.</summary>
    public static string? Find(string program) =>
        Folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>
    /// Runs a program and returns its standard output; throws <see cref="TestServerException"/> with its standard error
    /// when it does not exit with 0. <paramref name="environment"/> is laid over ours, from which all PG* variables are taken.
    /// </summary>
    public static async Task<string> RunAsync(
        string program,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null,
        CancellationToken cancel = default)
    {
        var start = StartInfo([Find(program) ?? throw new TestServerMissingException($"{program} is not installed."), .. arguments], environment);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        // Dumps of databases in other encodings are not UTF-8: bytes must come back as they are, one char each.
        start.StandardOutputEncoding = Encoding.Latin1;
        using var process = Process.Start(start) ?? throw new TestServerException($"{program} did not start.");
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var error = process.StandardError.ReadToEndAsync(cancel);
        try
        {
            await process.WaitForExitAsync(cancel).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        if (process.ExitCode != 0)
            throw new TestServerException($"{program} ended with {process.ExitCode}: {await error.ConfigureAwait(false)}");
        return await output.ConfigureAwait(false);
    }

    internal static ProcessStartInfo StartInfo(string[] command, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, WorkingDirectory = "/" };
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("PG", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        start.Environment["LC_ALL"] = "C";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return start;
    }
}
