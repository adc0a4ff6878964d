using System.Globalization;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>
/// Writes the audit log: one line an operation, chained by hashes, synced, under a lock that all processes of this machine
/// respect. What a crash has left is closed off and told; what somebody has taken away is not covered up by what is added.
/// </summary>
public sealed class AuditLog(AuditSettings settings)
{
    private const int LongestText = 1000;
    private const int MostStores = 50;
    private const UnixFileMode PrivateFolder = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode WrittenByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>How long to wait for other writers; each needs milliseconds.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    public AuditSettings Settings => settings;

    private string Folder => settings.Folder;

    /// <summary>Finds out, before any harm can be done, whether a line could be written now. Leaves nothing behind but the folder and its empty files.</summary>
    /// <returns>Null, or a sentence about something that should be mended.</returns>
    /// <exception cref="MoltException"><c>AuditNotWritable</c>.</exception>
    public string? Prepare()
    {
        try
        {
            MakeFolder();
            using var held = AuditFiles.Take(AuditFiles.Lock(Folder), s_patience);
            using (AuditFiles.Open(AuditFiles.Current(Folder), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
            {
                // It may be written to. Whether there is room shows only when something is written.
            }

            var probe = Path.Combine(Folder, "audit.probe");
            try
            {
                using var file = AuditFiles.Open(probe, FileMode.Create, FileAccess.Write, FileShare.None);
                file.Write(new byte[16 << 10]);
                file.Flush(flushToDisk: true);
            }
            finally
            {
                File.Delete(probe);
            }

            return !OperatingSystem.IsWindows() && (File.GetUnixFileMode(Folder) & WrittenByOthers) != 0
                ? $"Others may write to the audit log's folder {Folder}, and so change the log. Run: chmod 0700 '{Folder}'" : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or TimeoutException or NotSupportedException)
        {
            throw NotWritable(e);
        }
    }

    /// <summary>Writes a line, durably.</summary>
    /// <param name="record">What happened; number, hashes, user, host and process are the log's to add.</param>
    /// <returns>The record as it stands in the log.</returns>
    /// <exception cref="MoltException"><c>AuditNotWritable</c>; then the line is not there.</exception>
    public AuditRecord Append(AuditRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        try
        {
            MakeFolder();
            using var held = AuditFiles.Take(AuditFiles.Lock(Folder), s_patience);
            return AppendHeld(record);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or TimeoutException or NotSupportedException)
        {
            throw NotWritable(e);
        }
    }

    private AuditRecord AppendHeld(AuditRecord record)
    {
        var current = AuditFiles.Current(Folder);
        var file = AuditFiles.Open(current, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            var (torn, end) = CloseOff(file);
            var (before, notice) = Before(end, file.Length > 0);
            string? previousFile = null;
            if (file.Length >= settings.RotateBytes && First(file) is { } first)
            {
                // The lock's holder is the only writer: nobody is between the two names.
                previousFile = AuditFiles.RotatedName(first);
                file.Dispose();
                File.Move(current, Path.Combine(Folder, previousFile));
                file = AuditFiles.Open(current, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            }
            else if (file.Length == 0)
            {
                previousFile = AuditFiles.Rotated(Folder).LastOrDefault() is { } last ? Path.GetFileName(last) : null;
            }

            var written = Complete(record) with
            {
                Sequence = before.Sequence + 1,
                Previous = before.Hash,
                PreviousFile = previousFile,
                Torn = torn,
                Notice = notice,
            };
            var line = AuditLine.Write(written);
            var isNew = file.Length == 0;
            Add(file, line);
            if (isNew)
            {
                FolderSync.Sync(Folder);
            }

            new AuditHead(written.Sequence, AuditLine.HashOf(line)).Write(Folder);
            return written with { File = current, Hash = AuditLine.Read(line, out _)!.Hash };
        }
        finally
        {
            file.Dispose();
        }
    }

    /// <summary>Ends what a writer that died has begun, so that the next line begins a line.</summary>
    /// <returns>The hash of what was not whole; and the last whole line.</returns>
    private static (string? Torn, byte[]? End) CloseOff(FileStream file)
    {
        var tail = AuditTail.Of(file);
        if (tail.Rest.Length == 0)
        {
            return (null, tail.Line);
        }

        file.Position = file.Length;
        file.Write("\n"u8);
        return AuditLine.Read(tail.Rest, out var sound) is not null && sound ? (null, tail.Rest) : (AuditLine.HashOf(tail.Rest), tail.Line);
    }

    /// <summary>
    /// What the next line follows on, by the log and by its head. Where the two differ, the head counts when it is ahead: then
    /// the gap that somebody has made stays to be seen.
    /// </summary>
    private (AuditHead Before, string? Notice) Before(byte[]? end, bool hasContent)
    {
        var nothing = new AuditHead(0, AuditLine.NoHash);
        if (end is null && !hasContent && AuditFiles.Rotated(Folder).LastOrDefault() is { } rotated)
        {
            // A crash between a rotation and the first line behind it.
            using var file = AuditFiles.Open(rotated, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            end = AuditTail.Of(file).Line;
            hasContent = true;
        }

        var last = end is not null && AuditLine.Read(end, out _) is { } record ? new AuditHead(record.Sequence, AuditLine.HashOf(end)) : null;
        var (head, damaged) = AuditHead.Read(Folder);
        if (head is null)
        {
            var why = damaged ? "audit.head could not be read" : last is { Sequence: > 1 } || (last is null && hasContent) ? "audit.head was missing" : null;
            if (why is null)
            {
                // A writer has died between the very first line and its head. Should this one do so too, the next must not think that somebody took it away.
                last?.Write(Folder);
            }

            return (last ?? nothing, why);
        }

        if (last is null || last.Sequence < head.Sequence)
        {
            return (head, string.Create(CultureInfo.InvariantCulture, $"the log ended with line {last?.Sequence ?? 0}, and had gone to {head.Sequence}"));
        }

        if (last.Sequence == head.Sequence)
        {
            return last.Hash == head.Hash ? (head, null) : (head, "the last line was not the one that had been written");
        }

        // A crash between a line and its head. Were the head not brought up to date before the next line, it could fall behind for ever.
        last.Write(Folder);
        return (last, last.Sequence == head.Sequence + 1 ? null : string.Create(CultureInfo.InvariantCulture, $"audit.head was at {head.Sequence}, and the log at {last.Sequence}"));
    }

    private static void Add(FileStream file, byte[] line)
    {
        var length = file.Length;
        try
        {
            file.Position = length;
            file.Write([.. line, (byte)'\n']);
            file.Flush(flushToDisk: true);
        }
        catch (IOException)
        {
            // A full disk takes the beginning of a line. Were it left, the next writer would find a torn line.
            file.SetLength(length);
            throw;
        }
    }

    private static AuditRecord? First(FileStream file)
    {
        var bytes = new byte[Math.Min(file.Length, AuditLine.Longest)];
        file.Position = 0;
        file.ReadExactly(bytes);
        var end = Array.IndexOf(bytes, (byte)'\n');
        return end < 0 ? null : AuditLine.Read(bytes.AsSpan(0, end), out _);
    }

    private static AuditRecord Complete(AuditRecord record) => record with
    {
        User = OperatingSystem.IsWindows() ? $@"{Environment.UserDomainName}\{Environment.UserName}" : Environment.UserName,
        SudoUser = Environment.GetEnvironmentVariable("SUDO_USER") is { Length: > 0 } user ? Text(user) : null,
        Host = Environment.MachineName,
        ProcessId = Environment.ProcessId,
        ErrorId = Text(record.ErrorId),
        Database = Text(record.Database),
        Backup = Text(record.Backup),
        BackupId = Text(record.BackupId),
        Target = Text(record.Target),
        Server = Text(record.Server),
        Detail = Text(record.Detail),
        Stores = record.Stores is { Count: > 0 } stores ? [.. stores.Take(MostStores).Select(s => Text(s)!)] : null,
    };

    /// <summary>Bounded; and should a caller ever bring a password along, it stays out of the log.</summary>
    private static string? Text(string? text)
        => text is null ? null
            : PlanText.SecretIn("", text) is { } secret ? $"(left out: it seems to hold {secret})"
            : text.Length <= LongestText ? text : text[..LongestText] + "…";

    private void MakeFolder()
    {
        if (Directory.Exists(Folder))
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(Folder);
        }
        else
        {
            Directory.CreateDirectory(Folder, PrivateFolder);
            FolderSync.Sync(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Folder)) ?? Folder);
        }
    }

    private MoltException NotWritable(Exception e)
        => new("AuditNotWritable", ErrorKind.PermissionDenied, $"The audit log in {Folder} cannot be written: {e.Message}",
            "Make room, or make the folder writable to this user, or name another: audit.path in the plan, or the variable MOLTBEAT_AUDIT.", Folder, e);
}
