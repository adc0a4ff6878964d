using System.Globalization;

namespace MoltBeat.DR.Engine.Operations.Jobs;

/// <summary>Keeps two jobs of one plan from running at the same time. It ends with its holder, however that ends: nothing has to be cleaned up after a crash.</summary>
internal sealed class JobLock : IDisposable
{
    private readonly FileStream file;

    private JobLock(FileStream file) => this.file = file;

    /// <param name="path">The file; it stays. A folder that is missing is made.</param>
    /// <param name="what">What the holder is doing, for the one who comes second.</param>
    /// <exception cref="MoltException"><c>JobRunning</c>, <c>JobLockNotWritable</c>.</exception>
    public static JobLock Take(string path, string what)
    {
        try
        {
            MakeFolder(Path.GetDirectoryName(path)!);
            var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            var file = new FileStream(path, options);
            try
            {
                // Beside it: nobody else can read a file that is locked.
                File.WriteAllText(HolderFile(path), string.Create(CultureInfo.InvariantCulture, $"{what}, process {Environment.ProcessId}, since {DateTimeOffset.UtcNow:yyyy-MM-dd HH:mm:ss} UTC"));
                return new JobLock(file);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
        catch (IOException e) when (IsTaken(e))
        {
            throw new MoltException("JobRunning", ErrorKind.Busy, $"A job of this plan is running already{Holder(path)}.", "Let it end. If it hangs, end that process: nothing of it is left then, and the next job goes on.", path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MoltException("JobLockNotWritable", ErrorKind.PermissionDenied, $"{path}, which keeps two jobs from running at once, cannot be written: {e.Message}", "Run all jobs of a plan as one user, and let that user write there.", path, e);
        }
    }

    public void Dispose() => file.Dispose();

    private static void MakeFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static string HolderFile(string path) => path + ".holder";

    private static string Holder(string path)
    {
        try
        {
            return File.ReadAllText(HolderFile(path)) is { Length: > 0 } text ? ": " + text : "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    // EWOULDBLOCK of flock (11; macOS 35); ERROR_SHARING_VIOLATION.
    private static bool IsTaken(IOException e) => e is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException) && (e.HResult & 0xffff) is 11 or 35 or 32;
}
