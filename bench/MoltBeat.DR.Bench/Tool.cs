using System.Diagnostics;
using System.Text;

namespace MoltBeat.DR.Bench;

/// <summary>A program to run. Variables with a null value are taken out of the environment.</summary>
internal sealed record Command(string Program, IReadOnlyList<string> Arguments, IReadOnlyDictionary<string, string?> Environment)
{
    public override string ToString() => string.Join(' ', Arguments.Prepend(Program));

    public ProcessStartInfo ToStartInfo()
    {
        var info = new ProcessStartInfo(Program, Arguments) { UseShellExecute = false };
        foreach (var (name, value) in Environment)
        {
            info.Environment.Remove(name);
            if (value is not null)
            {
                info.Environment[name] = value;
            }
        }

        return info;
    }
}

/// <summary>Runs the programs that prepare a measurement. Those that are measured go through <see cref="Measurement"/>.</summary>
internal static class Tool
{
    /// <summary>Runs it to its end and returns its standard output; an exit code other than 0 is an exception.</summary>
    public static async Task<string> RunAsync(
        Command command, CancellationToken cancellationToken, Func<Stream, CancellationToken, Task>? input = null)
    {
        var info = command.ToStartInfo();
        info.RedirectStandardInput = true;
        info.RedirectStandardOutput = true;
        info.RedirectStandardError = true;
        using var process = Start(info);
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        IOException? broken = null;
        try
        {
            try
            {
                if (input is not null)
                {
                    await input(process.StandardInput.BaseStream, cancellationToken);
                }

                process.StandardInput.Close();
            }
            catch (IOException e)
            {
                // The reader has gone; what it said is worth more than "broken pipe".
                broken = e;
            }

            await process.WaitForExitAsync(cancellationToken);
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        if (process.ExitCode != 0 || broken is not null)
        {
            throw new BenchException(
                $"{command.Program} ended with exit code {process.ExitCode}: {(await errors).Trim()} {broken?.Message}".TrimEnd());
        }

        return await output;
    }

    public static Process Start(ProcessStartInfo info)
    {
        try
        {
            return Process.Start(info)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new BenchException($"{info.FileName} cannot be started: {e.Message}");
        }
    }
}

/// <summary>Keeps the end of what a program says: enough for an error, whatever it prints.</summary>
internal sealed class Tail
{
    private const int Kept = 4000;

    private readonly StringBuilder _text = new();

    public void Add(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_text)
        {
            _text.Append(line).Append('\n');
            if (_text.Length > 2 * Kept)
            {
                _text.Remove(0, _text.Length - Kept);
            }
        }
    }

    public override string ToString()
    {
        lock (_text)
        {
            return _text.ToString().Trim();
        }
    }
}
