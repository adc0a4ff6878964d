namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>A private file that is whole, and on the disk, before what it undoes is committed.</summary>
internal static class UndoFile
{
    /// <summary>Looks whether it can be made, as far as that can be seen without making it.</summary>
    /// <exception cref="MoltException"><c>UndoExists</c>, <c>UndoNotWritable</c>.</exception>
    public static void Check(string path)
    {
        if (Path.Exists(path))
        {
            throw new MoltException("UndoExists", ErrorKind.AlreadyExists, $"{path} is there already; it may be what undoes an earlier restore.", "Name another file with -UndoPath.", path);
        }

        if (!Directory.Exists(Path.GetDirectoryName(path)))
        {
            throw new MoltException("UndoNotWritable", ErrorKind.PermissionDenied, $"The folder of {path} is not there.", "Make it, or name another file with -UndoPath.", path);
        }
    }

    /// <summary>Writes it under another name, syncs it, and gives it its own.</summary>
    /// <exception cref="MoltException"><c>UndoNotWritable</c>, <c>UndoExists</c>.</exception>
    public static async Task WriteAsync(string path, Func<Stream, Task> write)
    {
        var partial = path + ".partial";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 1 << 16 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            var made = false;
            try
            {
                var file = new FileStream(partial, options);
                made = true;
                await using (file.ConfigureAwait(false))
                {
                    await write(file).ConfigureAwait(false);
                    await file.FlushAsync().ConfigureAwait(false);
                    file.Flush(flushToDisk: true);
                }

                File.Move(partial, path, overwrite: false);
                FolderSync.Sync(Path.GetDirectoryName(path)!);
            }
            catch when (made)
            {
                File.Delete(partial);
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MoltException("UndoNotWritable", ErrorKind.PermissionDenied, $"{path} cannot be written: {e.Message} Nothing was restored.", "Make room, or name a file in another folder with -UndoPath.", path, e);
        }
    }

    /// <summary>For a transaction that was rolled back: there is nothing to undo.</summary>
    public static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It refuses to do anything: none of its rows is there.
        }
    }
}
