using System.Diagnostics;

namespace MoltBeat.DR.Tests;

/// <summary>Runs the published <c>molt</c> as users do: as a process.</summary>
internal static class MoltProcess
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Runs to the end, with standard input at its end from the start.</summary>
    public static Task<ProcessResult> RunAsync(params string[] arguments) => RunAsync(null, arguments);

    public static async Task<ProcessResult> RunAsync(string? input, string[] arguments)
    {
        using var process = Start(Staged.Molt, arguments);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        return await EndAsync(process);
    }

    /// <summary>Runs with further variables in its environment; those that are null are taken away.</summary>
    public static Task<ProcessResult> RunWithAsync(IReadOnlyDictionary<string, string?> variables, params string[] arguments)
        => RunWithAsync(variables, Limit, arguments);

    /// <summary>Runs with further variables in its environment, and for longer than others may.</summary>
    public static Task<ProcessResult> RunWithAsync(IReadOnlyDictionary<string, string?> variables, TimeSpan limit, params string[] arguments)
        => RunToEndAsync(Staged.Molt, arguments, variables, limit);

    /// <summary>The same as somebody who is not root, to whom folders can be closed.</summary>
    public static Task<ProcessResult> RunAsOrdinaryUserAsync(IReadOnlyDictionary<string, string?> variables, params string[] arguments)
        => Environment.IsPrivilegedProcess
            ? RunToEndAsync("setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", Staged.Molt, .. arguments], variables, Limit)
            : RunWithAsync(variables, arguments);

    /// <summary>Runs any program to its end.</summary>
    public static async Task<ProcessResult> RunToEndAsync(string file, string[] arguments, IReadOnlyDictionary<string, string?> variables, TimeSpan limit)
    {
        using var process = Start(file, arguments, variables);
        process.StandardInput.Close();
        return await EndAsync(process, limit);
    }

    /// <summary>
    /// Starts molt with the default answer to SIGINT: a process in the background of a script ignores it, and its children
    /// inherit that.
    /// </summary>
    public static Process StartInterruptible(params string[] arguments) =>
        Start("env", ["--default-signal=INT", Staged.Molt, .. arguments]);

    /// <summary>Runs a molt command line on a terminal of its own, with these keys typed once it has asked. As above, Ctrl+C is not ignored there.</summary>
    public static async Task<ProcessResult> RunOnTerminalAsync(string command, string? waitFor = null, string? keys = null)
    {
        var line = $"'{Staged.Molt}' -c '{command.Replace("'", "'\\''", StringComparison.Ordinal)}'";
        using var process = Start("env", ["--default-signal=INT", "script", "--quiet", "--return", "--command", line, "/dev/null"]);
        var seen = "";
        using var limit = new CancellationTokenSource(Limit);
        if (waitFor is not null)
        {
            var buffer = new char[1024];
            while (!seen.Contains(waitFor, StringComparison.Ordinal)
                && await process.StandardOutput.ReadAsync(buffer, limit.Token) is > 0 and var count)
            {
                seen += new string(buffer, 0, count);
            }

            // The question stands before the read of the answer is set up.
            await Task.Delay(300, limit.Token);
            await process.StandardInput.WriteAsync(keys);
            await process.StandardInput.FlushAsync(limit.Token);
        }

        var rest = await EndAsync(process);
        return rest with { Output = seen + rest.Output };
    }

    public static Task<ProcessResult> EndAsync(Process process) => EndAsync(process, Limit);

    private static async Task<ProcessResult> EndAsync(Process process, TimeSpan time)
    {
        using var limit = new CancellationTokenSource(time);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return new ProcessResult(process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"molt did not end within {time}.");
        }
    }

    public static void Signal(Process process, string signal)
    {
        using var kill = Process.Start("kill", ["-s", signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private static Process Start(string file, string[] arguments, IReadOnlyDictionary<string, string?>? variables = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["TERM"] = "xterm", ["NO_COLOR"] = null },
        };
        foreach (var (name, value) in variables ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }
}

/// <summary>What a process left: its exit code and all it wrote.</summary>
internal sealed record ProcessResult(int ExitCode, string Output, string Error);
