namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>A Redis server whose keys are backed up, or that gets them back.</summary>
/// <param name="Name">What it is called in the plan and in the backup.</param>
/// <param name="Url">Where it is.</param>
/// <param name="Databases">Which of its databases; empty for all that hold keys; null for the URL's, and without one for all that hold keys.</param>
/// <param name="Required">Whether a backup without its keys must not be made.</param>
public sealed record RedisTarget(string Name, RedisUrl Url, IReadOnlyList<int>? Databases = null, bool Required = true)
{
    /// <summary>The databases that are named; null for all.</summary>
    public IReadOnlyList<int>? Named => Databases is null ? (Url.Database is { } one ? [one] : null) : Databases.Count > 0 ? Databases : null;

    public bool Takes(int database) => Named is null || Named.Contains(database);

    public override string ToString() => Name;
}
