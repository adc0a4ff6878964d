using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Runtime.InteropServices;

namespace MoltBeat.DR.Host;

/// <summary>Runs one command or script in a new session and turns its end into an exit code.</summary>
internal sealed class ScriptRunner(Options options)
{
    private int _signalled;

    /// <returns>The process's exit code.</returns>
    public int Run()
    {
        if (Script() is not { } script)
        {
            Console.Error.WriteLine($"-File wants a script that exists, with the extension .ps1; {options.Text} is none.");
            return ExitCodes.BadUsage;
        }

        using var stop = new CancellationTokenSource();
        var terminal = new Terminal(options.NonInteractive, stop.Token);
        var host = new ConsoleHost(terminal);
        using var runspace = RunspaceFactory.CreateRunspace(host, InitialSessionState.CreateDefault2());
        runspace.ThreadOptions = PSThreadOptions.UseCurrentThread;
        runspace.Open();
        Runspace.DefaultRunspace = runspace;

        using var powerShell = PowerShell.Create(runspace);
        powerShell.AddScript(script);

        // Errors go down the same pipe as the objects, so that both appear in the order in which they came.
        powerShell.Commands.Commands[0].MergeMyResults(PipelineResultTypes.Error, PipelineResultTypes.Output);
        powerShell.AddCommand("Out-Default");

        using var interrupt = OnSignal(PosixSignal.SIGINT, ExitCodes.Interrupted);
        using var terminate = OnSignal(PosixSignal.SIGTERM, ExitCodes.Terminated);
        using var hangUp = OnSignal(PosixSignal.SIGHUP, ExitCodes.HangUp);

        var failed = false;
        try
        {
            // Only a command that is kept in the history sets $?.
            powerShell.Invoke(null, new PSInvocationSettings { AddToHistory = true });
        }
        catch (RuntimeException e)
        {
            failed = true;
            if (e is not PipelineStoppedException)
            {
                Report(e, runspace, terminal);
            }
        }
        finally
        {
            terminal.EndProgress();
        }

        return _signalled != 0 ? _signalled
            : host.ExitCode is { } code ? code
            : failed ? ExitCodes.Failure
            : CodeOfNormalEnd(runspace);

        PosixSignalRegistration OnSignal(PosixSignal signal, int exitCode) => PosixSignalRegistration.Create(signal, context =>
        {
            // The second one is not held back: it ends the process at once, whatever the script is doing.
            if (Interlocked.CompareExchange(ref _signalled, exitCode, 0) == 0)
            {
                context.Cancel = true;
                powerShell.BeginStop(null, null);
                stop.Cancel();
            }
        });
    }

    private string? Script()
    {
        if (options.Text == "-")
        {
            return Console.In.ReadToEnd();
        }

        if (options.Mode == RunMode.Command)
        {
            return options.Text;
        }

        var path = Path.GetFullPath(options.Text);
        return File.Exists(path) && Path.GetExtension(path).Equals(".ps1", StringComparison.OrdinalIgnoreCase)
            ? ScriptCall.Text(path, options.Arguments)
            : null;
    }

    // -Command fails when its last statement did. A script fails by exit, which leaves $? false and its number in
    // LASTEXITCODE, or when it could not be called at all; what a program left in LASTEXITCODE while $? is true does not count.
    private int CodeOfNormalEnd(Runspace runspace)
    {
        var variables = runspace.SessionStateProxy.PSVariable;
        if (variables.GetValue("?") is not false)
        {
            return ExitCodes.Success;
        }

        return options.Mode == RunMode.Command ? ExitCodes.Failure : variables.GetValue("LASTEXITCODE") as int? ?? ExitCodes.Failure;
    }

    private static void Report(RuntimeException exception, Runspace runspace, Terminal terminal)
    {
        // The view of an error record shows nothing useful for text that could not be parsed; the message has the place in it.
        if (exception is ParseException)
        {
            terminal.WriteErrorLine(exception.Message);
            return;
        }

        var record = PSObject.AsPSObject(exception.ErrorRecord);
        record.Properties.Add(new PSNoteProperty("writeErrorStream", true));
        using var reporter = PowerShell.Create(runspace);
        reporter.AddCommand("Out-Default").Invoke(new[] { record });
    }
}
