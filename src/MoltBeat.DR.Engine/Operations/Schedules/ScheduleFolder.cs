namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>Files of ours in a folder that others have files in, too.</summary>
/// <param name="folder">Where.</param>
/// <param name="pattern">Matches the names of ours.</param>
/// <param name="mark">The line that all of ours begin with.</param>
internal sealed class ScheduleFolder(string folder, string pattern, string mark)
{
    /// <summary>Those that are there.</summary>
    /// <exception cref="MoltException"><c>ScheduleNotOurs</c>, <c>ScheduleNotReadable</c>.</exception>
    public IReadOnlyList<ScheduleFile> Read()
    {
        try
        {
            var files = Directory.Exists(folder) ? Directory.GetFiles(folder, pattern).Order(StringComparer.Ordinal).Select(f => new ScheduleFile(f, File.ReadAllText(f))).ToList() : [];
            return files.Find(f => !f.Content.StartsWith(mark, StringComparison.Ordinal)) is { } other
                ? throw new MoltException("ScheduleNotOurs", ErrorKind.AlreadyExists, $"{other.Path} was not made by Register-MoltSchedule.", "Move it away if it is not wanted any more.", other.Path)
                : files;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MoltException("ScheduleNotReadable", ErrorKind.PermissionDenied, $"What {folder} holds cannot be read: {e.Message}", "Do it as a user who may.", folder, e);
        }
    }

    /// <summary>Each file is whole or as it was: a scheduler may look at any moment.</summary>
    /// <exception cref="MoltException"><c>ScheduleNotWritable</c>.</exception>
    public void Apply(IReadOnlyList<ScheduleFile> write, IReadOnlyList<ScheduleFile> remove)
    {
        try
        {
            Directory.CreateDirectory(folder);
            foreach (var file in write)
            {
                Write(file);
            }

            foreach (var file in remove)
            {
                File.Delete(file.Path);
            }

            FolderSync.Sync(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MoltException("ScheduleNotWritable", ErrorKind.PermissionDenied, $"{folder} cannot be written: {e.Message}", "Do it as root; or, as yourself, with -Scheduler Crontab.", folder, e);
        }
    }

    private static void Write(ScheduleFile file)
    {
        // A name with a dot, which cron passes over, and no ending that systemd knows.
        var partial = file.Path + ".molt-partial";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
            }

            using (var stream = new FileStream(partial, options))
            {
                stream.Write(System.Text.Encoding.UTF8.GetBytes(file.Content));
                stream.Flush(flushToDisk: true);
            }

            // Whatever the umask: cron and systemd want to read it, and it holds no secret.
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(partial, options.UnixCreateMode!.Value);
            }

            File.Move(partial, file.Path, overwrite: true);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }
}
