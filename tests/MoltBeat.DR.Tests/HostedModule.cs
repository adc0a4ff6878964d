using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace MoltBeat.DR.Tests;

/// <summary>
/// A PowerShell session with the staged module imported, in this process and with nobody to answer questions. One session
/// keeps its variables from one script to the next. Only the language and the engine's own commands are there: no
/// Select-Object, Sort-Object, Write-Output.
/// </summary>
public sealed class HostedModule : IDisposable
{
    private readonly Runspace _runspace;
    private readonly Screen _screen;

    /// <param name="more">Further modules to import, by path.</param>
    public HostedModule(params string[] more)
        : this(120, more)
    {
    }

    /// <param name="columns">Width of the screen, for <see cref="Show"/>.</param>
    /// <param name="more">Further modules to import, by path.</param>
    public HostedModule(int columns, params string[] more)
    {
        _screen = new Screen(columns);
        _runspace = RunspaceFactory.CreateRunspace(_screen, InitialSessionState.CreateDefault2());
        _runspace.Open();
        foreach (var module in more.Prepend(Staged.Manifest))
        {
            Run("param($Path) Import-Module -Name $Path -ErrorAction Stop", ("Path", module)).ThrowIfFailed();
        }
    }

    public void Dispose() => _runspace.Dispose();

    /// <summary>Runs a script to its end.</summary>
    /// <param name="script">The text; its param block gets the parameters.</param>
    /// <param name="parameters">Names and values.</param>
    public HostedResult Run(string script, params (string Name, object? Value)[] parameters)
    {
        using var powerShell = Create(script, parameters);
        var output = new List<PSObject>();
        RuntimeException? terminating = null;
        try
        {
            powerShell.Invoke(null, output, new PSInvocationSettings { AddToHistory = true });
        }
        catch (RuntimeException e)
        {
            terminating = e;
        }

        return new HostedResult(
            output,
            [.. powerShell.Streams.Error],
            [.. powerShell.Streams.Warning.Select(r => r.Message)],
            [.. powerShell.Streams.Verbose.Select(r => r.Message)],
            [.. powerShell.Streams.Progress],
            terminating);
    }

    /// <summary>What a user would see of a script's objects, without the spaces at the ends of lines.</summary>
    /// <param name="script">The text; its param block gets the parameters.</param>
    /// <param name="parameters">Names and values.</param>
    public string Show(string script, params (string Name, object? Value)[] parameters)
    {
        using var powerShell = Create(script, parameters);
        _ = _screen.Take();
        powerShell.AddCommand("Out-Default").Invoke(null, new PSInvocationSettings { AddToHistory = true });
        return _screen.Take();
    }

    /// <summary>What is answered to the next questions: a text, or the first letter of a choice such as Y, N.</summary>
    public HostedModule Answer(params string[] answers)
    {
        foreach (var answer in answers)
        {
            _screen.Answers.Enqueue(answer);
        }

        return this;
    }

    /// <summary>What stands on the screen, questions included, since it was last asked for.</summary>
    public string TakeScreen() => _screen.Take();

    /// <summary>A script that the caller starts and stops; the caller disposes of it.</summary>
    /// <param name="script">The text; its param block gets the parameters.</param>
    /// <param name="parameters">Names and values.</param>
    public PowerShell Create(string script, params (string Name, object? Value)[] parameters)
    {
        var powerShell = PowerShell.Create(_runspace).AddScript(script);
        powerShell.AddParameters((IDictionary)parameters.ToDictionary(p => p.Name, p => p.Value));
        return powerShell;
    }
}
