namespace MoltBeat.DR.Engine.Plan;

/// <summary>A folder that a backup takes along.</summary>
/// <param name="Name">What the backup calls it.</param>
/// <param name="Path">Absolute.</param>
/// <param name="MaximumBytes">With more than so many bytes of files in it the backup is refused; null for no bound.</param>
public sealed record PlannedFolder(string Name, string Path, long? MaximumBytes = null)
{
    /// <summary>What to leave out besides the defaults: globs, of which the last that matches decides; <c>!</c> before one takes back.</summary>
    public IReadOnlyList<string> Exclude { get => field ?? []; init; }

    public override string ToString() => Name;
}
