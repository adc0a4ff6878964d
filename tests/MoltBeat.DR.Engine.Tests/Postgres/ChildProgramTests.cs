using System.Diagnostics;
using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

public class ChildProgramTests
{
    private static readonly Dictionary<string, string> s_none = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Fails_with_the_exit_code_and_what_the_program_said()
    {
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => RunAsync("echo out; echo 'disk on fire' >&2; exit 3", s_none));
        Assert.Equal(("ChildProgramFailed", ErrorKind.Failed), (e.Id, e.Kind));
        Assert.Contains("exit code 3", e.Message, StringComparison.Ordinal);
        Assert.Contains("disk on fire", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Notices_a_program_that_fails_after_closing_its_output()
    {
        await using ChildProgram child = Shell("echo all; exec >&-; sleep 0.2; echo late >&2; exit 1", s_none, null, Cancel);
        using StreamReader output = new(child.Output);
        Assert.Equal("all\n", await output.ReadToEndAsync(Cancel));
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => child.CompleteAsync(Cancel));
        Assert.Contains("late", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Notices_a_program_ended_by_a_signal()
    {
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => RunAsync("kill -SEGV $$", s_none));
        Assert.Contains("signal 11", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keeps_the_end_of_a_long_error_output_and_does_not_stall()
    {
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => RunAsync("i=0; while [ $i -lt 30000 ]; do echo \"line $i\"; i=$((i+1)); done >&2; exit 1", s_none));
        Assert.Contains("line 29999", e.Message, StringComparison.Ordinal);
        Assert.InRange(e.Message.Length, 4000, 9000);
    }

    [Fact]
    public async Task Hides_the_password_in_errors_and_lines()
    {
        Listener observer = new();
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => RunAsync("echo \"login as $PGPASSWORD\" >&2; exit 1", new() { ["PGPASSWORD"] = "hunter2" }, observer));
        Assert.Contains("login as ***", e.Message, StringComparison.Ordinal);
        Assert.Equal(["sh: login as ***"], observer.Lines);
    }

    [Fact]
    public async Task Gives_the_child_no_connection_but_the_one_it_is_given()
    {
        Environment.SetEnvironmentVariable("PGSERVICEFILE", "/inherited");
        try
        {
            string shown = await RunAsync("env", new() { ["PGHOST"] = "h" });
            Assert.Equal(["PGHOST=h"], shown.Split('\n').Where(line => line.StartsWith("PG", StringComparison.Ordinal)));
            Assert.Contains("LC_MESSAGES=C\n", shown, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("PGSERVICEFILE", null);
        }
    }

    [Fact]
    public async Task Passes_bytes_through_both_ways()
    {
        byte[] sent = new byte[300_000];
        Random.Shared.NextBytes(sent);
        await using ChildProgram child = ChildProgram.Start("/bin/cat", [], s_none, null, redirectInput: true, Cancel);
        Task writing = Task.Run(async () =>
        {
            await child.Input.WriteAsync(sent, Cancel);
            await child.Input.DisposeAsync();
        }, Cancel);
        using MemoryStream received = new();
        await child.Output.CopyToAsync(received, Cancel);
        await writing;
        await child.CompleteAsync(Cancel);
        Assert.Equal(sent, received.ToArray());
    }

    [Fact]
    public async Task Without_input_the_child_reads_an_empty_one() => Assert.Equal("0\n", await RunAsync("wc -c", s_none));

    [Fact]
    public async Task Tells_why_the_child_ended_when_writing_to_it_fails()
    {
        await using ChildProgram child = Shell("echo 'no thanks' >&2; exit 2", s_none, null, Cancel, redirectInput: true);
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            for (int i = 0; i < 1000; i++)
                await child.Input.WriteAsync(new byte[10_000], Cancel);
        });
        MoltException e = await Assert.ThrowsAsync<MoltException>(() => child.CompleteAsync(Cancel));
        Assert.Contains("no thanks", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("trap 'echo bye >&2; exit 0' TERM; echo ready; while :; do sleep 0.05; done", 3)]
    [InlineData("trap '' TERM; echo ready; while :; do sleep 0.05; done", 9)]
    public async Task Stops_the_child_when_cancelled(string script, int seconds)
    {
        using CancellationTokenSource stop = new();
        await using ChildProgram child = Shell(script, s_none, null, stop.Token);
        using Process process = Process.GetProcessById(child.Id);
        using StreamReader output = new(child.Output);
        Assert.Equal("ready", await output.ReadLineAsync(Cancel));
        Stopwatch clock = Stopwatch.StartNew();
        await stop.CancelAsync();
        Assert.Null(await output.ReadLineAsync(Cancel));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => child.CompleteAsync(Cancel));
        await process.WaitForExitAsync(Cancel);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, seconds);
    }

    [Fact]
    public async Task Leaves_no_child_behind_when_disposed_of()
    {
        Process process;
        await using (ChildProgram child = Shell("exec sleep 600", s_none, null, Cancel))
            process = Process.GetProcessById(child.Id);
        using (process)
            Assert.True(process.HasExited);
    }

    [Fact]
    public async Task Limits_what_it_captures()
    {
        MoltException e = await Assert.ThrowsAsync<MoltException>(() =>
            ChildProgram.CaptureAsync("/bin/sh", ["-c", "yes"], s_none, null, 100_000, Cancel));
        Assert.Equal("ChildProgramOutputTooLong", e.Id);
    }

    [Fact]
    public void Says_when_a_program_cannot_be_started()
    {
        MoltException e = Assert.Throws<MoltException>(() => ChildProgram.Start("/nowhere/pg_dump", [], s_none, null, false, Cancel));
        Assert.Equal(("ChildProgramNotStarted", ErrorKind.NotInstalled), (e.Id, e.Kind));
    }

    private static Task<string> RunAsync(string script, Dictionary<string, string> environment, IOperationObserver? observer = null)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The stand-ins are shell scripts.");
        return ChildProgram.CaptureAsync("/bin/sh", ["-c", script], environment, observer, 1_000_000, Cancel);
    }

    private static ChildProgram Shell(string script, Dictionary<string, string> environment, IOperationObserver? observer, CancellationToken cancellationToken, bool redirectInput = false)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The stand-ins are shell scripts.");
        return ChildProgram.Start("/bin/sh", ["-c", script], environment, observer, redirectInput, cancellationToken);
    }

    private sealed class Listener : IOperationObserver
    {
        public List<string> Lines { get; } = [];

        public void Verbose(string message) => Lines.Add(message);

        public void Warning(string message) => Lines.Add(message);

        public void Progress(OperationProgress progress)
        {
        }
    }
}
