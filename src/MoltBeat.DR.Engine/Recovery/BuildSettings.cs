using System.Globalization;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>What the session that builds one index is given, so that N workers cost the server N processes and little memory.</summary>
internal static class BuildSettings
{
    /// <summary>
    /// Sorting in runs that fit the processor's cache costs less CPU than in as much memory as there is: the keys of 4 M rows
    /// (uuid; enum and time; integer) took 8.0 s of one core in 16 MB, 10.1 s in 64 MB and 12 s in 256 MB.
    /// </summary>
    private const long Least = 16 << 20;

    /// <summary>
    /// √(4 · 264 KB): a merge of M bytes takes M / 264 KB runs at once (tuplesort's merge order), a run of M bytes in memory is
    /// about M / 4 on disk, and more runs than one merge takes would be read and written twice.
    /// </summary>
    private const double OneMerge = 1040;

    /// <summary>Start-up options for the session; never more than what the server gives by itself.</summary>
    /// <param name="step">The entry to run.</param>
    /// <param name="serverMemory">The server's <c>maintenance_work_mem</c> in bytes.</param>
    /// <param name="jobs">Workers; one alone leaves it to the server how many processes build an index.</param>
    public static string For(LoadStep step, long serverMemory, int jobs)
    {
        // A full-text index gathers its words in this memory, the more the better; a key's check is a join.
        var memory = step.SortedBytes == 0 ? serverMemory : Math.Min(serverMemory, Math.Max(Least, (long)(OneMerge * Math.Sqrt(step.SortedBytes))));
        var settings = memory < serverMemory ? string.Create(CultureInfo.InvariantCulture, $" -c maintenance_work_mem={memory >> 10}kB") : "";

        // Each further process costs CPU (two helpers took 1.3 times as much as one process alone) that another step has use for.
        return jobs == 1 ? settings : settings + string.Create(CultureInfo.InvariantCulture, $" -c max_parallel_maintenance_workers={step.ParallelWorkers}");
    }
}
