using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// A running client program of PostgreSQL's. What it writes is good only once <see cref="CompleteAsync"/> has returned: a
/// program that fails, or that is stopped, ends its output early, and often says so only after closing it.
/// </summary>
/// <remarks>
/// Should our process be killed outright, a child ends by itself when it next writes to us or reads from us. Linux's
/// parent-death signal isn't used: it is sent when the starting <em>thread</em> ends, and pool threads do.
/// </remarks>
public sealed partial class ChildProgram : IAsyncDisposable
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(5);
    private const int TailLimit = 8 * 1024;
    private const int SigTerm = 15;

    private readonly Process _process;
    private readonly IOperationObserver? _observer;
    private readonly SecretRedactor _redactor;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenRegistration _registration;
    private readonly Task _errors;
    private readonly Queue<string> _tail = new();
    private int _tailLength;
    private Task? _stopping;

    private ChildProgram(Process process, string name, SecretRedactor redactor, IOperationObserver? observer, CancellationToken cancellationToken)
    {
        _process = process;
        Name = name;
        _redactor = redactor;
        _observer = observer;
        _cancellation = cancellationToken;
        _errors = Task.Run(DrainErrorsAsync, CancellationToken.None);
        _registration = cancellationToken.Register(() => _ = StopAsync());
    }

    /// <summary>The program's name without its folder.</summary>
    public string Name { get; }

    public int Id => _process.Id;

    /// <summary>What the program writes, as bytes. Has to be read to its end, or the program waits for ever.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>
    /// What the program reads; dispose of it to say that there is no more. A write fails with an <see cref="IOException"/>
    /// once the program has ended: <see cref="CompleteAsync"/> then says why it did.
    /// </summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>Starts a program.</summary>
    /// <param name="path">The program's full path.</param>
    /// <param name="arguments">Its arguments; visible to every user of the machine, so never a secret.</param>
    /// <param name="environment">Its connection, from <see cref="PinnedServer.ChildEnvironment(string)"/>, in place of all inherited PG* variables.</param>
    /// <param name="observer">Is told each line of its error output.</param>
    /// <param name="redirectInput">Whether something will be written to it; otherwise its input is empty.</param>
    /// <param name="cancellationToken">Stops it: politely, after five seconds by force.</param>
    /// <exception cref="MoltException"><c>ChildProgramNotStarted</c></exception>
    public static ChildProgram Start(string path, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment,
        IOperationObserver? observer, bool redirectInput, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ProcessStartInfo start = new(path, arguments)
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
        };
        SetEnvironment(start.Environment, environment);
        string name = Path.GetFileNameWithoutExtension(path);
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new MoltException("ChildProgramNotStarted", ErrorKind.NotInstalled, $"{path} can't be run: {e.Message}", "Check that PostgreSQL's client programs are installed and executable.", path, e);
        }
        ChildProgram child = new(process, name, SecretRedactor.For(environment), observer, cancellationToken);
        if (!redirectInput)
            child.Input.Dispose();
        return child;
    }

    /// <summary>Runs a program to its end and gives back what it wrote, as UTF-8 text of at most <c>limit</c> bytes. The rest is as of <see cref="Start"/>.</summary>
    /// <exception cref="MoltException"><c>ChildProgramNotStarted</c>, <c>ChildProgramFailed</c>, <c>ChildProgramOutputTooLong</c></exception>
    public static async Task<string> CaptureAsync(string path, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment,
        IOperationObserver? observer, int limit, CancellationToken cancellationToken)
    {
        ChildProgram child = Start(path, arguments, environment, observer, redirectInput: false, cancellationToken);
        await using (child.ConfigureAwait(false))
        {
            using MemoryStream text = new();
            byte[] buffer = new byte[16 * 1024];
            while (await child.Output.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and int count)
            {
                if (text.Length + count > limit)
                    throw new MoltException("ChildProgramOutputTooLong", ErrorKind.InvalidData, $"{child.Name} wrote more than {limit} bytes.", target: child.Name);
                text.Write(buffer, 0, count);
            }
            await child.CompleteAsync(cancellationToken).ConfigureAwait(false);
            return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
        }
    }

    /// <summary>Waits until the program has ended, and makes sure that it ended well.</summary>
    /// <exception cref="MoltException"><c>ChildProgramFailed</c>, with the exit code and the end of its error output.</exception>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        Input.Dispose();
        await _process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        await FinishErrorsAsync().ConfigureAwait(false);
        _cancellation.ThrowIfCancellationRequested();
        if (_process.ExitCode != 0)
            throw Failed();
    }

    /// <summary>Stops the program if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        await _registration.DisposeAsync().ConfigureAwait(false);
        await StopAsync().ConfigureAwait(false);
        await FinishErrorsAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private MoltException Failed()
    {
        string said;
        lock (_tail)
            said = string.Join('\n', _tail);
        int code = _process.ExitCode;
        // .NET reports a signal as 128 and its number.
        string how = code is > 128 and < 128 + 65 && !OperatingSystem.IsWindows() ? $"was ended by signal {code - 128}" : $"failed with exit code {code}";
        return new("ChildProgramFailed", ErrorKind.Failed, said.Length > 0 ? $"{Name} {how}:\n{said}" : $"{Name} {how} and said nothing.",
            "What the program says above is the reason.", Name);
    }

    private async Task DrainErrorsAsync()
    {
        while (await _process.StandardError.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { } raw)
        {
            string line = _redactor.Redact(raw.Length > TailLimit ? raw[..TailLimit] : raw);
            lock (_tail)
            {
                _tail.Enqueue(line);
                _tailLength += line.Length + 1;
                while (_tailLength > TailLimit && _tail.Count > 1)
                    _tailLength -= _tail.Dequeue().Length + 1;
            }
            _observer?.Verbose($"{Name}: {line}");
        }
    }

    /// <summary>Not for ever: a grandchild that lives on may hold the pipe open.</summary>
    private Task FinishErrorsAsync() => Task.WhenAny(_errors, Task.Delay(s_grace, CancellationToken.None));

    private Task StopAsync()
    {
        lock (_tail)
            return _stopping ??= StopNowAsync();
    }

    private async Task StopNowAsync()
    {
        if (_process.HasExited)
            return;
        // SIGTERM lets pg_dump cancel its query on the server and end its workers.
        if (!OperatingSystem.IsWindows() && Kill(_process.Id, SigTerm) == 0)
        {
            using CancellationTokenSource limit = new(s_grace);
            try
            {
                await _process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
                return;
            }
            catch (OperationCanceledException)
            {
                // By force, then.
            }
        }
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or AggregateException)
        {
            // It has just ended.
        }
        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
    }

    private static void SetEnvironment(IDictionary<string, string?> target, IReadOnlyDictionary<string, string> connection)
    {
        foreach (string name in target.Keys.Where(name => name.StartsWith("PG", OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal)).ToArray())
            target.Remove(name);
        // Messages in English, so that they can be matched, while names keep the user's encoding.
        if (target.TryGetValue("LC_ALL", out string? everything) && !string.IsNullOrEmpty(everything))
            target["LC_CTYPE"] = everything;
        target.Remove("LC_ALL");
        target.Remove("LANGUAGE");
        target["LC_MESSAGES"] = "C";
        foreach ((string name, string value) in connection)
            target[name] = value;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
