using System.Globalization;

namespace MoltBeat.DR.Engine.Application;

/// <summary>How an environment file of a backup differs from the one that is there: by names of variables, never by values.</summary>
/// <param name="Added">Variables that only the backup has.</param>
/// <param name="Removed">Variables that only the file there has: a restore takes them away.</param>
/// <param name="Changed">Variables with another value.</param>
/// <param name="Same">Variables with the same value.</param>
public sealed record EnvironmentDiff(IReadOnlyList<string> Added, IReadOnlyList<string> Removed, IReadOnlyList<string> Changed, IReadOnlyList<string> Same)
{
    private const int MostNames = 40;

    /// <param name="present">The content there; empty when there is no file.</param>
    /// <param name="backup">The backup's.</param>
    internal static EnvironmentDiff Of(ReadOnlySpan<byte> present, ReadOnlySpan<byte> backup)
    {
        var (before, after) = (DotEnv.Parse(present), DotEnv.Parse(backup));
        var both = after.Keys.Where(before.ContainsKey).Order(StringComparer.Ordinal).ToLookup(n => before[n] == after[n]);
        return new EnvironmentDiff(
            [.. after.Keys.Except(before.Keys).Order(StringComparer.Ordinal)], [.. before.Keys.Except(after.Keys).Order(StringComparer.Ordinal)], [.. both[false]], [.. both[true]]);
    }

    public override string ToString()
    {
        var parts = new List<string>();
        void Add(string verb, IReadOnlyList<string> names)
        {
            if (names.Count > 0)
            {
                parts.Add($"{verb} {string.Join(", ", names.Take(MostNames))}{(names.Count > MostNames ? string.Create(CultureInfo.InvariantCulture, $" and {names.Count - MostNames} more") : "")}");
            }
        }

        Add("adds", Added);
        Add("removes", Removed);
        Add("changes", Changed);
        if (Same.Count > 0)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"leaves {Same.Count:N0}"));
        }

        return parts.Count > 0 ? string.Join("; ", parts) : "no variables";
    }
}
