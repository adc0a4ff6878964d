using System.Runtime.CompilerServices;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>A line as it stands in a file.</summary>
/// <param name="File">Path.</param>
/// <param name="Number">1 for the first.</param>
/// <param name="Bytes">Without the line end; of a line that is too long only its beginning.</param>
/// <param name="IsEnded">Whether a line end follows.</param>
internal sealed record AuditText(string File, int Number, byte[] Bytes, bool IsEnded);

/// <summary>Reads an audit log, a line at a time.</summary>
public static class AuditReader
{
    /// <summary>All lines that can be read, the oldest first, and of each whether it is as it was written, as far as it can tell by itself.</summary>
    /// <param name="path">The log's folder, or one of its files.</param>
    /// <param name="onDamaged">Is told of each line that is none, or was changed; the next one is read.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>AuditNotFound</c>, <c>AuditNotReadable</c>.</exception>
    public static async IAsyncEnumerable<AuditRecord> ReadAsync(string path, Action<MoltException> onDamaged, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(onDamaged);
        foreach (var file in FilesOf(path))
        {
            await foreach (var text in LinesAsync(file, cancellationToken).ConfigureAwait(false))
            {
                var record = AuditLine.Read(text.Bytes, out var sound);
                if (!sound)
                {
                    onDamaged(new MoltException("AuditLineDamaged", ErrorKind.InvalidData,
                        record is null ? $"Line {text.Number} of {text.File} is no line of an audit log." : $"Line {text.Number} of {text.File} is not as it was written.",
                        "Test-MoltAudit tells a line that a crash has cut short from one that somebody has changed.", text.File));
                }
                else
                {
                    yield return record! with { File = text.File, Line = text.Number };
                }
            }
        }
    }

    /// <summary>The files that hold lines, the oldest first.</summary>
    /// <exception cref="MoltException"><c>AuditNotFound</c>, <c>AuditNotReadable</c>.</exception>
    internal static IReadOnlyList<string> FilesOf(string path)
    {
        if (File.Exists(path))
        {
            return [path];
        }

        try
        {
            return Directory.Exists(path) && AuditFiles.All(path) is { Count: > 0 } files ? files : throw NotFound(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(path, e);
        }
    }

    internal static MoltException NotFound(string path)
        => new("AuditNotFound", ErrorKind.NotFound, $"There is no audit log in {path}.", "It begins with the first operation. Name another folder or file with -Path.", path);

    internal static async IAsyncEnumerable<AuditText> LinesAsync(string path, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var file = Open(path);
        var buffer = new byte[64 << 10];
        var line = new MemoryStream();
        var number = 1;
        while (true)
        {
            int count;
            try
            {
                count = await file.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            }
            catch (IOException e)
            {
                throw NotReadable(path, e);
            }

            if (count == 0)
            {
                break;
            }

            for (var at = 0; at < count;)
            {
                var end = Array.IndexOf(buffer, (byte)'\n', at, count - at);
                var stop = end < 0 ? count : end;
                line.Write(buffer, at, (int)Math.Min(stop - at, Math.Max(0, AuditLine.Longest + 1 - line.Length)));
                at = stop + 1;
                if (end >= 0)
                {
                    yield return new AuditText(path, number++, line.ToArray(), IsEnded: true);
                    line.SetLength(0);
                }
            }
        }

        if (line.Length > 0)
        {
            yield return new AuditText(path, number, line.ToArray(), IsEnded: false);
        }
    }

    private static FileStream Open(string path)
    {
        try
        {
            return AuditFiles.Open(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotReadable(path, e);
        }
    }

    private static MoltException NotReadable(string path, Exception e)
        => new("AuditNotReadable", ErrorKind.PermissionDenied, $"Cannot read {path}: {e.Message}", "Run as the user that the log belongs to.", path, e);
}
