using System.Globalization;

namespace MoltBeat.DR.Bench;

/// <summary>What Linux says of a process; see proc(5).</summary>
internal static class ProcFs
{
    // USER_HZ, the unit of times in /proc/<pid>/stat: 100 on every architecture that .NET runs on.
    private const double TicksPerSecond = 100;

    internal readonly record struct Stat(int Pid, int Parent, double OwnSeconds, double ReapedSeconds);

    /// <summary>The process and all its living descendants.</summary>
    public static List<Stat> Tree(int root)
    {
        var all = new List<Stat>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
                && ReadStat(pid) is { } stat)
            {
                all.Add(stat);
            }
        }

        var children = all.ToLookup(stat => stat.Parent);
        var tree = all.Where(stat => stat.Pid == root).ToList();
        for (var i = 0; i < tree.Count; i++)
        {
            tree.AddRange(children[tree[i].Pid]);
        }

        return tree;
    }

    /// <summary>CPU seconds, user and system, of a process, its living descendants, and those it waited for.</summary>
    public static double CpuSeconds(int root) => Tree(root).Sum(stat => stat.OwnSeconds + stat.ReapedSeconds);

    /// <summary>Resident bytes now (VmRSS) and at their highest (VmHWM); zeros when the process has gone.</summary>
    public static (long Resident, long Peak) Memory(int pid)
    {
        long resident = 0, peak = 0;
        try
        {
            foreach (var line in File.ReadLines($"/proc/{pid}/status"))
            {
                if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
                {
                    peak = Kilobytes(line);
                }
                else if (line.StartsWith("VmRSS:", StringComparison.Ordinal))
                {
                    resident = Kilobytes(line);
                    break;
                }
            }
        }
        catch (IOException)
        {
            return (0, 0);
        }

        return (resident, peak);
    }

    private static long Kilobytes(string line) =>
        1024 * long.Parse(line.AsSpan(6).Trim()[..^3], NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture);

    private static Stat? ReadStat(int pid)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{pid}/stat");
            // The name, in parentheses, may hold anything, so count from its end: state is field 3.
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            double Seconds(int field) => long.Parse(fields[field - 3], CultureInfo.InvariantCulture) / TicksPerSecond;
            return new Stat(
                pid, int.Parse(fields[4 - 3], CultureInfo.InvariantCulture), Seconds(14) + Seconds(15), Seconds(16) + Seconds(17));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
