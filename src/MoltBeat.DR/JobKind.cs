namespace MoltBeat.DR;

/// <summary>The kinds of backups that are made by a schedule.</summary>
public enum JobKind
{
    Daily,
    Weekly,
    Monthly,
}
