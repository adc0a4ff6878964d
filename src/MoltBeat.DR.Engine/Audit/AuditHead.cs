using System.Text.Json;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>Where the log ends, in a file of its own beside it: what is cut off the log's end is missed by it.</summary>
/// <param name="Sequence">Of the last line.</param>
/// <param name="Hash">SHA-256, hex, of the whole last line.</param>
internal sealed record AuditHead(long Sequence, string Hash)
{
    /// <returns>Null when it is not there, or cannot be understood; then the second value says so.</returns>
    public static (AuditHead? Head, bool IsDamaged) Read(string folder)
    {
        try
        {
            var content = File.ReadAllBytes(AuditFiles.Head(folder));
            return JsonSerializer.Deserialize(content, AuditJson.Default.AuditHead) is { Sequence: > 0, Hash.Length: 64 } head ? (head, false) : (null, true);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return (null, false);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return (null, true);
        }
    }

    /// <summary>Writes it whole or not at all, and durably.</summary>
    public void Write(string folder)
    {
        var path = AuditFiles.Head(folder);
        var partial = path + ".partial";
        try
        {
            using (var file = AuditFiles.Open(partial, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                file.Write(JsonSerializer.SerializeToUtf8Bytes(this, AuditJson.Default.AuditHead));
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite: true);
            FolderSync.Sync(folder);
        }
        catch (IOException)
        {
            File.Delete(partial);
            throw;
        }
    }
}
