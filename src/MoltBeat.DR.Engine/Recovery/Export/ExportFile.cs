namespace MoltBeat.DR.Engine.Recovery.Export;

/// <summary>Where exports are written: beside their place, for nobody else to read, and renamed once they are durable.</summary>
internal static class ExportFile
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <exception cref="MoltException"><c>ExportExists</c>, <c>ExportNotWritable</c>.</exception>
    public static void CheckPlace(string path, bool force)
    {
        if (Path.GetDirectoryName(path) is not { Length: > 0 } parent || !Directory.Exists(parent))
        {
            throw new MoltException("ExportNotWritable", ErrorKind.Failed, $"There is no folder to write {path} into.", "Make it, or name another -Destination.", path);
        }

        if ((File.Exists(path) && !force) || Directory.Exists(path))
        {
            throw new MoltException("ExportExists", ErrorKind.AlreadyExists, $"{path} is there already.", Directory.Exists(path) ? "Remove the folder, or name another -Destination." : "Name another -Destination, or overwrite the file with -Force.", path);
        }
    }

    /// <summary>Makes a new file, 0600 from its first moment.</summary>
    public static FileStream Create(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 1 << 16, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = Private;
        }

        return new FileStream(path, options);
    }

    public static MoltException NotWritable(string path, Exception e)
        => new("ExportNotWritable", ErrorKind.Failed, $"{path} could not be written: {e.Message}", "Free space there, or name another -Destination. Nothing of it was left.", path, e);
}
