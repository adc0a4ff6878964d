using System.Globalization;
using MoltBeat.DR.Engine.Catalog;

namespace MoltBeat.DR.Engine.Operations.Jobs;

/// <summary>Whether a backup is of about the size that those before it had: a database that lost half of its rows overnight is backed up without an error.</summary>
internal static class SizeCheck
{
    /// <summary>So many of the newest before it make the average.</summary>
    private const int Most = 10;

    /// <summary>With fewer there is no usual size yet.</summary>
    private const int Fewest = 3;

    private const double Low = 0.5;
    private const double High = 2;

    /// <param name="backup">The new one.</param>
    /// <param name="all">All that stores hold, in any order; itself among them or not.</param>
    /// <returns>What is odd; null when nothing is, or nothing can be said.</returns>
    public static MoltException? Compare(BackupInfo backup, IEnumerable<BackupInfo> all)
    {
        // Raw bytes: what compression or encryption does to them is not the database's doing.
        var before = all.Where(b => b.Id != backup.Id && b.Database == backup.Database && b.Created < backup.Created && b.Verification is not { Passed: false })
            .OrderByDescending(b => b.Created).Take(Most).Select(b => (double)b.RawSize).ToList();
        if (before.Count < Fewest)
        {
            return null;
        }

        var average = before.Average();
        return backup.RawSize < Low * average ? Odd(backup, average, before.Count, "less than half")
            : backup.RawSize > High * average ? Odd(backup, average, before.Count, "more than twice")
            : null;
    }

    private static MoltException Odd(BackupInfo backup, double average, int count, string how)
        => new("SizeAnomaly", ErrorKind.InvalidData, string.Create(CultureInfo.InvariantCulture, $"{backup.Name} holds {backup.RawSize:N0} bytes of rows, {how} of the {average:N0} that the {count} backups before it hold on average."),
            "Find out whether rows were lost or poured in; retention keeps the larger backups until it is sure.", backup.Path);
}
