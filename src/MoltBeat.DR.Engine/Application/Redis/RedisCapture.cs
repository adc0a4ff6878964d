using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// Takes the keys of a Redis server along. SCAN finds them while the server works on, so each key shows a moment of its own between
/// the beginning and the end. Only so many bytes are asked for at once, and a value passes through in pieces, however large it is.
/// </summary>
public sealed class RedisCapture : ICapture
{
    private readonly RedisTarget target;
    private string? absent;

    public RedisCapture(RedisTarget target) => this.target = target;

    public ExtraKind Kind => ExtraKind.Redis;

    public string Name => target.Name;

    /// <summary>Bytes, as the server estimates them, that are asked for at once; a larger value is asked for alone.</summary>
    internal long BytesAtOnce { get; init; } = 4 << 20;

    /// <summary>Keys of one transaction: the server answers nobody else meanwhile.</summary>
    internal int KeysAtOnce { get; init; } = 250;

    internal long PartBytes { get; init; } = ArchiveFormat.PartBytes;

    /// <summary>The most bytes that were asked for at once, of those that are larger than one key.</summary>
    internal long MostAsked { get; private set; }

    /// <summary>Looks whether the server lets itself be read: logs in, and reads a key of each database.</summary>
    /// <exception cref="MoltException">It does not, and is required.</exception>
    public async Task PrepareAsync(CaptureContext context, CancellationToken cancellationToken)
    {
        try
        {
            var session = await RedisSession.OpenAsync(target.Url, cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                var info = await RedisServerInfo.ReadAsync(session, target.Url, cancellationToken).ConfigureAwait(false);
                foreach (var database in Chosen(info))
                {
                    await session.SelectAsync(database, cancellationToken).ConfigureAwait(false);
                    var (_, keys) = await ScanAsync(session, "0", 1, cancellationToken).ConfigureAwait(false);
                    await ReadAsync(session, keys, (_, dumped) => dumped.Length < 0 ? ValueTask.CompletedTask : session.Reader.CopyAsync(dumped.Length, _ => ValueTask.CompletedTask, cancellationToken), cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (MoltException e) when (!target.Required)
        {
            absent = e.Message;
        }
    }

    /// <summary>Writes all keys.</summary>
    /// <exception cref="MoltException">They cannot be read, and are required.</exception>
    public async Task<ExtraContents> CaptureAsync(ArchiveWriter archive, IOperationObserver observer, CancellationToken cancellationToken)
    {
        if (absent is not null)
        {
            return Missing(absent);
        }

        var run = new Run(this, new RedisPartWriter(archive, Name, PartBytes), observer);
        await using (run.Writer.ConfigureAwait(false))
        {
            string? broken = null;
            try
            {
                await run.ReadAllAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (MoltException e) when (!target.Required && e.Id.StartsWith("Redis", StringComparison.Ordinal))
            {
                if (!run.Writer.Begun)
                {
                    return Missing(e.Message);
                }

                broken = e.Message;
            }

            await run.Writer.CompleteAsync(cancellationToken).ConfigureAwait(false);
            return new ExtraContents
            {
                Kind = Kind,
                Name = Name,
                Items = run.Writer.Parts.Sum(p => p.Items),
                Parts = run.Writer.Parts,
                Notes = broken is null ? [] : [$"only some of its keys are here: {broken}"],
                Redis = run.Describe() with { Incomplete = broken },
            };
        }
    }

    private ExtraContents Missing(string why) => new() { Kind = Kind, Name = Name, Items = 0, Missing = why, Parts = [] };

    private IReadOnlyList<int> Chosen(RedisServerInfo info) => target.Named ?? [.. info.Keys.Keys];

    private static async Task<(string Cursor, List<byte[]> Keys)> ScanAsync(RedisSession session, string cursor, int count, CancellationToken cancellationToken)
    {
        var answer = await session.CallAsync(cancellationToken, "SCAN", cursor, "COUNT", count.ToString(CultureInfo.InvariantCulture)).ConfigureAwait(false);
        return answer.List is [{ Bytes: { } next }, { Items: { } keys }]
            ? (Encoding.ASCII.GetString(next), keys.Select(k => k.Bytes!).ToList())
            : throw session.Nonsense(new InvalidDataException());
    }

    /// <summary>Reads keys, as many at once as may be; those that are gone by now are left out.</summary>
    private async Task ReadAsync(RedisSession session, List<byte[]> keys, Func<byte[], DumpedKey, ValueTask> each, CancellationToken cancellationToken)
    {
        var batches = await BatchesAsync(session, keys, cancellationToken).ConfigureAwait(false);
        var asked = new Queue<(List<byte[]> Keys, long Bytes)>();
        long open = 0;
        var next = 0;
        while (next < batches.Count || asked.Count > 0)
        {
            while (next < batches.Count && (asked.Count == 0 || open + batches[next].Bytes <= BytesAtOnce))
            {
                RedisKeys.Ask(session, batches[next].Keys);
                open += batches[next].Bytes;
                MostAsked = batches[next].Keys.Count == 1 && asked.Count == 0 ? MostAsked : Math.Max(MostAsked, open);
                asked.Enqueue(batches[next++]);
            }

            await session.FlushAsync(cancellationToken).ConfigureAwait(false);
            var batch = asked.Dequeue();
            await RedisKeys.ReadAsync(session, batch.Keys.Count, dumped => each(batch.Keys[dumped.Index], dumped), cancellationToken).ConfigureAwait(false);
            open -= batch.Bytes;
        }
    }

    /// <summary>Divides keys by what the server thinks that they take.</summary>
    private async Task<List<(List<byte[]> Keys, long Bytes)>> BatchesAsync(RedisSession session, List<byte[]> keys, CancellationToken cancellationToken)
    {
        foreach (var key in keys)
        {
            session.Out.List(3);
            session.Out.Bytes("MEMORY"u8);
            session.Out.Bytes("USAGE"u8);
            session.Out.Bytes(key);
        }

        await session.FlushAsync(cancellationToken).ConfigureAwait(false);
        var batches = new List<(List<byte[]> Keys, long Bytes)>();
        foreach (var key in keys)
        {
            var answer = await session.Reader.HeadAsync(cancellationToken).ConfigureAwait(false);

            // A server that does not tell is asked for few at once.
            var bytes = answer.IsError ? BytesAtOnce / 8 : Math.Max(answer.Number, 0);
            if (batches.Count == 0 || batches[^1].Bytes + bytes > BytesAtOnce / 2 || batches[^1].Keys.Count == KeysAtOnce)
            {
                batches.Add(([], 0));
            }

            batches[^1].Keys.Add(key);
            batches[^1] = (batches[^1].Keys, batches[^1].Bytes + bytes);
        }

        return batches;
    }

    /// <summary>One capture.</summary>
    private sealed class Run(RedisCapture capture, RedisPartWriter writer, IOperationObserver observer)
    {
        private const int ScanCount = 1000;
        private const int FooterBytes = 10;

        private readonly SortedDictionary<int, RedisDatabaseContents> databases = [];
        private readonly byte[] footer = new byte[FooterBytes];
        private RedisServerInfo? info;
        private DateTimeOffset began = DateTimeOffset.UtcNow;
        private long largest;
        private long done;
        private int version;

        public RedisPartWriter Writer { get; } = writer;

        public async Task ReadAllAsync(CancellationToken cancellationToken)
        {
            var session = await RedisSession.OpenAsync(capture.target.Url, cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                info = await RedisServerInfo.ReadAsync(session, capture.target.Url, cancellationToken).ConfigureAwait(false);
                began = DateTimeOffset.UtcNow;
                var chosen = capture.Chosen(info);
                var total = chosen.Sum(d => info.Keys.GetValueOrDefault(d));
                var seen = new RedisSeen(total);
                foreach (var database in chosen)
                {
                    await session.SelectAsync(database, cancellationToken).ConfigureAwait(false);
                    databases[database] = new RedisDatabaseContents(database, 0, 0);
                    var cursor = "0";
                    do
                    {
                        (cursor, var keys) = await ScanAsync(session, cursor, ScanCount, cancellationToken).ConfigureAwait(false);
                        await capture.ReadAsync(session, keys, (key, dumped) => WriteAsync(session, seen, database, key, dumped, cancellationToken), cancellationToken).ConfigureAwait(false);
                        observer.Progress(new OperationProgress($"Backing up {capture.target.Url}", string.Create(CultureInfo.InvariantCulture, $"{done:N0} of about {total:N0} keys"), total > 0 ? Math.Min(1, (double)done / total) : null, null));
                    }
                    while (cursor != "0");
                }
            }

            observer.Verbose(string.Create(CultureInfo.InvariantCulture, $"{done:N0} keys of {capture.target.Url}, each as it was at some moment since {began.UtcDateTime:HH:mm:ss} UTC: Redis has no snapshot to read from."));
        }

        public RedisContents Describe() => new()
        {
            Server = info!.Version,
            PayloadVersion = version,
            Began = began,
            Ended = DateTimeOffset.UtcNow,
            Databases = [.. databases.Values],
            LargestPayload = largest,
        };

        private async ValueTask WriteAsync(RedisSession session, RedisSeen seen, int database, byte[] key, DumpedKey dumped, CancellationToken cancellationToken)
        {
            if (dumped.Length < 0)
            {
                return; // it has been removed, or has expired, since SCAN gave it
            }

            await Writer.BeginKeyAsync(database, key, dumped.Expires, seen.Add(database, key), dumped.Length, cancellationToken).ConfigureAwait(false);
            var at = 0L;
            await session.Reader.CopyAsync(dumped.Length, piece =>
            {
                if (version == 0)
                {
                    KeepFooter(piece.Span, at, dumped.Length);
                }

                at += piece.Length;
                return Writer.PayloadAsync(piece, cancellationToken);
            }, cancellationToken).ConfigureAwait(false);
            await Writer.EndKeyAsync(cancellationToken).ConfigureAwait(false);

            // A payload ends with its version, two bytes, low one first, and its checksum, eight bytes.
            version = version == 0 && dumped.Length > FooterBytes ? footer[0] | (footer[1] << 8) : version;
            var known = databases[database];
            databases[database] = known with { Keys = known.Keys + 1, Expiring = known.Expiring + (dumped.Expires > 0 ? 1 : 0) };
            largest = Math.Max(largest, dumped.Length);
            done++;
        }

        private void KeepFooter(ReadOnlySpan<byte> piece, long at, long length)
        {
            for (var i = (int)Math.Max(0, length - FooterBytes - at); i < piece.Length; i++)
            {
                footer[at + i - (length - FooterBytes)] = piece[i];
            }
        }
    }
}
