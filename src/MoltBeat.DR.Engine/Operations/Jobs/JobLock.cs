using System.Globalization;
using System.Text;

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
            PrivateFiles.MakeFolder(Path.GetDirectoryName(path)!);
            var taken = PrivateFiles.TryLock(path) ?? throw new MoltException("JobRunning", ErrorKind.Busy, $"A job of this plan is running already{Holder(path)}.", "Let it end. If it hangs, end that process: nothing of it is left then, and the next job goes on.", path);
            try
            {
                // Beside it: nobody else can read a file that is locked.
                PrivateFiles.Write(HolderFile(path), Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{what}, process {Environment.ProcessId}, since {DateTimeOffset.UtcNow:yyyy-MM-dd HH:mm:ss} UTC")));
                return new JobLock(taken);
            }
            catch
            {
                taken.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MoltException("JobLockNotWritable", ErrorKind.PermissionDenied, $"{path}, which keeps two jobs from running at once, cannot be written: {e.Message}", "Run all jobs of a plan as one user, and let that user write there.", path, e);
        }
    }

    public void Dispose() => file.Dispose();

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
}
