using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MoltBeat.DR.Bench;

/// <summary>One run of one way.</summary>
/// <param name="Seconds">Wall clock, from the start of the process to its end.</param>
/// <param name="CpuSeconds">User and system time of the process and every descendant that was waited for.</param>
/// <param name="ServerCpuSeconds">The same of the database server meanwhile; null when the server is not ours to look at.</param>
/// <param name="StoreCpuSeconds">The same of the object store, which runs on the same cores; null without one.</param>
/// <param name="PeakBytes">Highest resident memory (VmHWM) of the started process, or of the largest in its tree.</param>
/// <param name="PeakTreeBytes">Highest sum of resident memory over the whole tree; pages they share count for each.</param>
/// <param name="Failure">Null when the exit code was 0.</param>
internal sealed record Measurement(
    double Seconds, double CpuSeconds, double? ServerCpuSeconds, double? StoreCpuSeconds, long PeakBytes, long PeakTreeBytes, string? Failure)
{
    private static readonly TimeSpan PollEvery = TimeSpan.FromMilliseconds(25);

    /// <param name="largest">Whose memory counts as the peak: that of the largest process, in place of the started one.</param>
    public static async Task<Measurement> RunAsync(
        Command command, bool largest, int? serverPid, int? storePid, CancellationToken cancellationToken)
    {
        var info = command.ToStartInfo();
        info.RedirectStandardInput = true;
        info.RedirectStandardOutput = true;
        info.RedirectStandardError = true;
        var tail = new Tail();

        static double? CpuOf(int? pid) => pid is { } known ? ProcFs.CpuSeconds(known) : null;
        var (serverBefore, storeBefore) = (CpuOf(serverPid), CpuOf(storePid));
        var cpuBefore = ReapedChildrenSeconds();
        var clock = Stopwatch.StartNew();
        using var process = Tool.Start(info);
        process.StandardInput.Close();
        process.OutputDataReceived += (_, line) => tail.Add(line.Data);
        process.ErrorDataReceived += (_, line) => tail.Add(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using var ended = new CancellationTokenSource();
        var memory = Task.Run(() => WatchMemory(process.Id, largest, ended.Token), CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        finally
        {
            await ended.CancelAsync();
        }

        clock.Stop();
        var (peak, peakTree) = await memory;
        return new Measurement(
            clock.Elapsed.TotalSeconds,
            ReapedChildrenSeconds() - cpuBefore,
            CpuOf(serverPid) - serverBefore,
            CpuOf(storePid) - storeBefore,
            peak,
            peakTree,
            process.ExitCode == 0 ? null : $"exit code {process.ExitCode}: {tail}");
    }

    private static (long Peak, long PeakTree) WatchMemory(int root, bool largest, CancellationToken ended)
    {
        long peak = 0, peakTree = 0;
        List<ProcFs.Stat> tree = [];
        for (var round = 0; !ended.IsCancellationRequested; round++)
        {
            // Looking through all processes costs more than asking the known ones, and they seldom change.
            if (round % 8 == 0)
            {
                tree = ProcFs.Tree(root);
            }

            var sum = 0L;
            foreach (var process in tree)
            {
                var (resident, highest) = ProcFs.Memory(process.Pid);
                sum += resident;
                if (largest || process.Pid == root)
                {
                    peak = Math.Max(peak, highest);
                }
            }

            peakTree = Math.Max(peakTree, sum);
            ended.WaitHandle.WaitOne(PollEvery);
        }

        return (peak, Math.Max(peak, peakTree));
    }

    /// <summary>
    /// The kernel's own count for all children that have ended: exact, and whole trees, as no other child of ours runs
    /// while one is measured.
    /// </summary>
    private static double ReapedChildrenSeconds()
    {
        const int Children = -1;
        if (getrusage(Children, out var usage) != 0)
        {
            throw new BenchException($"getrusage failed with error {Marshal.GetLastPInvokeError()}.");
        }

        return usage.UserSeconds + usage.SystemSeconds + ((usage.UserMicroseconds + usage.SystemMicroseconds) / 1e6);
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int getrusage(int who, out ResourceUsage usage);

    // struct rusage of 64-bit Linux: two timevals, then fourteen longs that are of no interest here.
    [StructLayout(LayoutKind.Sequential, Size = 144)]
    private struct ResourceUsage
    {
        public long UserSeconds;
        public long UserMicroseconds;
        public long SystemSeconds;
        public long SystemMicroseconds;
    }
}
