using System.Globalization;
using System.Text.Json;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>
/// Brings lines of the log to a store, all that are not there yet: one small object an operation, and when the store was away,
/// what has come together since in a few. The objects lie beside the archives as <c>audit-HOST.records/FIRST-LAST.json</c>, each
/// whole lines as they stand in the log; nothing is ever overwritten, so that a bucket's object lock keeps them.
/// </summary>
public static class StoreCopy
{
    /// <summary>Bytes of one object, and no more than a line beyond it.</summary>
    private const int Batch = 256 << 10;

    /// <summary>An operation's end does not wait for longer than this; the next one takes along what is left.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    /// <summary>Copies what is new.</summary>
    /// <param name="folder">The log's.</param>
    /// <param name="host">Of this machine: several may keep their copies in one store.</param>
    /// <param name="store">Where to.</param>
    /// <param name="cancellationToken">Stops it; what has arrived is known to have.</param>
    /// <returns>The number of the last line that is there.</returns>
    /// <exception cref="MoltException"><c>AuditCopyFailed</c>.</exception>
    public static async Task<long> RunAsync(string folder, string host, IBackupStore store, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            // One at a time; whoever waited finds less to do.
            using var held = AuditFiles.Take(Path.Combine(folder, "audit.copy.lock"), s_limit);
            var copied = Copied(folder);
            foreach (var file in NotBefore(AuditFiles.All(folder), copied + 1))
            {
                copied = await CopyAsync(file, copied, folder, ArchiveOf(host), store, limit.Token).ConfigureAwait(false);
            }

            return copied;
        }
        catch (Exception e) when (e is MoltException or IOException or UnauthorizedAccessException or TimeoutException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new MoltException("AuditCopyFailed", ErrorKind.ConnectionFailed, $"The line is in the audit log, and could not be copied to {store.Location}: {(e is OperationCanceledException ? "no answer in time" : e.Message)}",
                "The next operation takes along what is missing. " + (e as MoltException)?.Remedy, store.Location, e);
        }
    }

    /// <summary>What the copies are records of.</summary>
    internal static string ArchiveOf(string host) => "audit-" + new string([.. host.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' ? c : '_')]);

    private static async Task<long> CopyAsync(string file, long copied, string folder, string archive, IBackupStore store, CancellationToken cancellationToken)
    {
        using var batch = new MemoryStream();
        long first = 0, last = copied;
        async Task PutAsync()
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"{first:D12}-{last:D12}.json");
            try
            {
                await store.PutRecordAsync(archive, name, batch.ToArray(), cancellationToken).ConfigureAwait(false);
            }
            catch (MoltException e) when (e.Id == "BackupExists")
            {
                // Brought there by one who died before it could be noted down.
            }

            Remember(folder, last);
            batch.SetLength(0);
            first = 0;
        }

        await foreach (var text in AuditReader.LinesAsync(file, cancellationToken).ConfigureAwait(false))
        {
            var sequence = AuditLine.Read(text.Bytes, out _)?.Sequence;
            if (!text.IsEnded || (sequence ?? last) <= copied)
            {
                // Being written, or there already.
                continue;
            }

            first = first == 0 ? sequence ?? last : first;
            last = Math.Max(last, sequence ?? last);
            batch.Write(text.Bytes);
            batch.WriteByte((byte)'\n');
            if (batch.Length >= Batch)
            {
                await PutAsync().ConfigureAwait(false);
            }
        }

        if (batch.Length > 0)
        {
            await PutAsync().ConfigureAwait(false);
        }

        return last;
    }

    /// <summary>The files in which a line of that number or a later one can be.</summary>
    private static IEnumerable<string> NotBefore(List<string> files, long sequence)
        => files.Skip(Math.Max(0, files.FindLastIndex(f => AuditFiles.FirstSequence(f) <= sequence)));

    private static long Copied(string folder)
    {
        try
        {
            // What cannot be read is copied again: the same lines under the same names, or more of them under others.
            return JsonSerializer.Deserialize(File.ReadAllBytes(Mark(folder)), AuditJson.Default.Int64);
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException)
        {
            return 0;
        }
    }

    private static void Remember(string folder, long sequence)
    {
        using var file = AuditFiles.Open(Mark(folder), FileMode.Create, FileAccess.Write, FileShare.None);
        file.Write(JsonSerializer.SerializeToUtf8Bytes(sequence, AuditJson.Default.Int64));
    }

    private static string Mark(string folder) => Path.Combine(folder, "audit.copied");
}
