using System.Diagnostics;

namespace MoltBeat.TestServers;

/// <summary>
/// A server process that cannot outlive us. A small shell stands between us and it, and reads signal names from a pipe that
/// we hold: when the pipe closes, because we disposed it or because this process was killed, the server gets its last signal.
/// </summary>
/// <remarks>
/// Why not <c>setpriv --pdeathsig</c>: Linux sends that signal when the <em>thread</em> that started the process ends, and
/// .NET's pool threads do end; it also could only be KILL here, which leaves PostgreSQL's shared memory behind.
/// </remarks>
internal sealed class GuardedProcess : IAsyncDisposable
{
    // The reader is a background job, so that the shell notices at once when the server ends by itself.
    private const string Guard = """
        log=$1; last=$2; shift 2
        exec 3<&0 0</dev/null >>"$log" 2>&1
        "$@" 3<&- &
        server=$!
        {
            while read -r signal; do kill -s "$signal" "$server"; done
            kill -s CONT "$server"
            kill -s "$last" "$server"
            sleep 10
            kill -s KILL "$server"
        } <&3 2>/dev/null &
        reader=$!
        exec 3<&-
        wait "$server"
        result=$?
        kill "$reader" 2>/dev/null
        exit "$result"
        """;

    private readonly Process _shell;
    private readonly string _log;

    private GuardedProcess(Process shell, string log)
    {
        _shell = shell;
        _log = log;
    }

    internal bool HasExited => _shell.HasExited;

    /// <summary>The shell's own id; the server and its children descend from it.</summary>
    internal int Id => _shell.Id;

    /// <summary>What the server has written to its standard output and error.</summary>
    internal string Log => File.Exists(_log) ? File.ReadAllText(_log) : "";

    /// <summary>Starts a server as the service user.</summary>
    /// <param name="command">Program and arguments.</param>
    /// <param name="log">The file for its output.</param>
    /// <param name="lastSignal">The signal that ends it at once, such as <c>QUIT</c>.</param>
    /// <param name="home">Its HOME: ours may be closed to it, and libpq takes a closed one for an error.</param>
    internal static GuardedProcess Start(string[] command, string log, string lastSignal, string home)
    {
        var full = ServiceUser.Command(["/bin/sh", "-c", Guard, "guard", log, lastSignal, .. command]);
        var start = Tool.StartInfo(full, new Dictionary<string, string> { ["HOME"] = home });
        return new GuardedProcess(Process.Start(start) ?? throw new TestServerException($"{command[0]} did not start."), log);
    }

    /// <summary>Sends a signal, such as <c>INT</c>, <c>HUP</c>, <c>STOP</c>.</summary>
    internal async Task SignalAsync(string signal, CancellationToken cancel)
    {
        await _shell.StandardInput.WriteAsync($"{signal}\n".AsMemory(), cancel).ConfigureAwait(false);
        await _shell.StandardInput.FlushAsync(cancel).ConfigureAwait(false);
    }

    internal Task WaitForExitAsync(CancellationToken cancel) => _shell.WaitForExitAsync(cancel);

    public async ValueTask DisposeAsync()
    {
        try
        {
            _shell.StandardInput.Close();
        }
        catch (IOException)
        {
            // The guard is gone already, and the server with it.
        }

        await _shell.WaitForExitAsync().ConfigureAwait(false);
        _shell.Dispose();
    }
}
