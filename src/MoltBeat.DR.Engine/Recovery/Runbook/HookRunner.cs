using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>Runs the plan's hooks. What they write goes into a file of the incident.</summary>
internal static class HookRunner
{
    /// <summary>
    /// Under Unix a shell only opens the file. A pipe would not do: a service that a hook starts holds it open, so that we would
    /// wait for it for ever, and it would be broken when we end.
    /// </summary>
    private const string Redirect = "exec \"$@\" >> \"$0\" 2>&1 < /dev/null";

    /// <summary>Runs them one after the other.</summary>
    /// <param name="hooks">Of the plan.</param>
    /// <param name="verb"><c>stop</c> or <c>start</c>.</param>
    /// <param name="folder">The incident's.</param>
    /// <param name="cancellationToken">Ends what is running.</param>
    /// <exception cref="MoltException"><c>HookFailed</c>.</exception>
    public static async Task RunAsync(IReadOnlyList<PlannedHook> hooks, string verb, string folder, CancellationToken cancellationToken)
    {
        foreach (var hook in hooks)
        {
            await RunAsync(hook, verb, folder, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>What would be run, for people.</summary>
    public static string Describe(IEnumerable<PlannedHook> hooks, string verb) => string.Join("; ", hooks.Select(h => string.Join(' ', h.Line(verb))));

    private static async Task RunAsync(PlannedHook hook, string verb, string folder, CancellationToken cancellationToken)
    {
        var line = hook.Line(verb);
        var log = Path.Combine(folder, "hooks.log");
        var start = OperatingSystem.IsWindows()
            ? new ProcessStartInfo(line[0], line.Skip(1)) { CreateNoWindow = true }
            : new ProcessStartInfo("/bin/sh", ["-c", Redirect, log, .. line]);
        start.WorkingDirectory = hook.Folder ?? folder;
        try
        {
            if (!OperatingSystem.IsWindows() && !File.Exists(log))
            {
                PrivateFiles.Write(log, []);
            }

            using var process = Process.Start(start)!;
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(hook.Timeout);
            try
            {
                await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                cancellationToken.ThrowIfCancellationRequested();
                throw Failed(line, string.Create(CultureInfo.InvariantCulture, $"did not end within {hook.Timeout.TotalSeconds:0.#} s"), log);
            }

            if (process.ExitCode != 0)
            {
                throw Failed(line, string.Create(CultureInfo.InvariantCulture, $"ended with exit code {process.ExitCode}"), log);
            }
        }
        catch (Exception e) when (e is Win32Exception or IOException or UnauthorizedAccessException)
        {
            throw Failed(line, $"could not be run ({e.Message})", log);
        }
    }

    private static MoltException Failed(IReadOnlyList<string> line, string how, string log)
        => new("HookFailed", ErrorKind.Failed, $"{string.Join(' ', line)} {how}.", $"What it said is in {log}. Do by hand what it was to do, or correct hooks in the plan; then go on with -Resume.", line[0]);
}
