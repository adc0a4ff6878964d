namespace MoltBeat.DR.Engine.Archive;

/// <summary>Names of the members that hold what a backup takes along beside the database.</summary>
public static class ExtraNames
{
    /// <summary>The folder in the archive of all members of one kind, with its slash.</summary>
    public static string Folder(ExtraKind kind) => kind switch
    {
        ExtraKind.Environment => ArchiveFormat.EnvironmentFolder,
        ExtraKind.Redis => ArchiveFormat.RedisFolder,
        ExtraKind.Folder => ArchiveFormat.FilesFolder,
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>Name of a member.</summary>
    /// <param name="kind">Of what.</param>
    /// <param name="name">Its own name; shown in the member's for people, never read back from it.</param>
    /// <param name="extension">What is in it, for those who use stock tools, such as <c>.tar.zst</c>.</param>
    public static string Member(ExtraKind kind, string name, string extension = ".zst") => Folder(kind) + Safe(name) + extension;

    /// <summary>What is left of a name in members' names: letters, digits, <c>.</c>, <c>_</c> and <c>-</c> of ASCII, at most 80. Two captures of a kind may not share it.</summary>
    public static string Safe(string name)
        => new([.. name.Take(80).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_')]);
}
