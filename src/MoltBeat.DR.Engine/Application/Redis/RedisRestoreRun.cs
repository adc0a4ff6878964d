using System.Buffers;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>Writes keys, proves them, and takes back what it wrote when it fails.</summary>
internal sealed class RedisRestoreRun(ArchiveReader archive, RedisRestoreItem item, RedisRestore options, IOperationObserver observer)
{
    /// <summary>For taking back: shorter than what a cmdlet that is stopped waits.</summary>
    private static readonly TimeSpan CleanUpTime = TimeSpan.FromSeconds(25);

    private readonly RedisTarget to = item.To;
    private readonly RedisContents contents = item.Extra.Redis!;

    /// <summary>Keys of the present batch that turned out to be there, and so are not ours.</summary>
    private readonly HashSet<long> notOurs = [];
    private long now;

    /// <summary>The last key that has been sent.</summary>
    private long sent;
    private long written;
    private long expired;

    public async Task<RedisRestoreResult> RunAsync(CancellationToken cancellationToken)
    {
        string version;
        long? proven = null;
        long? other = null;
        try
        {
            var session = await RedisSession.OpenAsync(to.Url, cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                version = (await RedisServerInfo.ReadAsync(session, to.Url, cancellationToken).ConfigureAwait(false)).Version;
                now = await RedisKeys.NowAsync(session, cancellationToken).ConfigureAwait(false);
                await WriteAllAsync(session, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (sent > 0)
        {
            var state = await TakeBackAsync().ConfigureAwait(false);
            if (e is MoltException known)
            {
                throw known.And(state);
            }

            observer.Warning(state);
            throw;
        }

        if (!options.SkipProof)
        {
            (proven, other) = await new RedisProof(archive, item, options, observer, now).RunAsync(cancellationToken).ConfigureAwait(false);
        }

        return new RedisRestoreResult
        {
            Name = item.Name,
            Target = item.Target,
            Server = version,
            Databases = [.. contents.Databases.Where(d => d.Keys > 0 && to.Takes(d.Number)).Select(d => d.Number)],
            Keys = written,
            Replaced = Math.Min(item.Existing, written),
            Expired = expired,
            Proven = proven,
            NotComparable = other,
            ReadFrom = contents.Began,
            ReadTo = contents.Ended,
        };
    }

    private async Task WriteAllAsync(RedisSession session, CancellationToken cancellationToken)
    {
        var reader = new RedisPartReader(archive, item.Extra);
        await using (reader.ConfigureAwait(false))
        {
            var batch = new Batch();
            while (await reader.NextAsync(cancellationToken).ConfigureAwait(false))
            {
                if (!item.Counts(reader))
                {
                    continue;
                }

                if (reader.Expires > 0 && reader.Expires <= now)
                {
                    expired++;
                    continue;
                }

                if (batch.Keys.Count > 0 && (reader.Database != batch.Database || batch.Keys.Count == options.KeysAtOnce || batch.Commands.WrittenCount + reader.PayloadBytes > options.BytesAtOnce))
                {
                    await SendAsync(session, batch, null, cancellationToken).ConfigureAwait(false);
                }

                batch.Database = reader.Database;
                batch.Keys.Add((reader.Key, reader.Ordinal));
                RedisPartWriter.WriteHead(batch.Commands, reader.Key, reader.Expires, options.Replace, reader.PayloadBytes);
                if (reader.PayloadBytes > options.BytesAtOnce)
                {
                    await SendAsync(session, batch, reader, cancellationToken).ConfigureAwait(false);
                    continue;
                }

                await reader.PayloadAsync(piece =>
                {
                    batch.Commands.Write(piece.Span);
                    return ValueTask.CompletedTask;
                }, cancellationToken).ConfigureAwait(false);
                RedisPartWriter.WriteTail(batch.Commands, options.Replace);
            }

            await SendAsync(session, batch, null, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Sends what was gathered. Looks once more whether such keys are there: minutes may have passed since the preflight.</summary>
    private async Task SendAsync(RedisSession session, Batch batch, RedisPartReader? large, CancellationToken cancellationToken)
    {
        if (batch.Keys.Count == 0)
        {
            return;
        }

        await session.SelectAsync(batch.Database, cancellationToken).ConfigureAwait(false);
        if (!options.Replace)
        {
            session.Out.Command("EXISTS"u8, batch.Keys.ConvertAll(k => k.Key));
            await session.FlushAsync(cancellationToken).ConfigureAwait(false);
            if ((await session.AnswerAsync("EXISTS", cancellationToken).ConfigureAwait(false)).Head.Number is > 0 and var there)
            {
                throw RedisRestorePlan.KeysExist(to, there, []);
            }
        }

        sent = batch.Keys[^1].Ordinal;
        await session.WriteAsync(batch.Commands.WrittenMemory, cancellationToken).ConfigureAwait(false);
        if (large is not null)
        {
            await large.PayloadAsync(piece => session.WriteAsync(piece, cancellationToken), cancellationToken).ConfigureAwait(false);
            RedisPartWriter.WriteTail(session.Out, options.Replace);
            await session.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        MoltException? first = null;
        foreach (var (key, ordinal) in batch.Keys)
        {
            var answer = await session.Reader.HeadAsync(cancellationToken).ConfigureAwait(false);
            if (!answer.IsError)
            {
                written++;
                continue;
            }

            notOurs.Add(ordinal);
            first ??= answer.Text!.StartsWith("BUSYKEY", StringComparison.Ordinal) ? RedisRestorePlan.KeysExist(to, 1, [RedisKeys.Shown(key)])
                : answer.Text.Contains("Bad data format", StringComparison.Ordinal) || answer.Text.Contains("version or checksum", StringComparison.Ordinal) ? Refused(key, answer.Text)
                : session.Refusal(answer.Text, "RESTORE");
        }

        if (first is not null)
        {
            throw first;
        }

        batch.Keys.Clear();
        batch.Commands.ResetWrittenCount();
        options.Written?.Invoke(written);
        observer.Progress(new OperationProgress($"Restoring {to.Url}", string.Create(CultureInfo.InvariantCulture, $"{written:N0} of {item.Keys:N0} keys"), item.Keys > 0 ? Math.Min(1, (double)written / item.Keys) : null, null));
    }

    private MoltException Refused(byte[] key, string text)
        => new("RedisValueRefused", ErrorKind.NotSupported, $"{to.Url} does not take the value of {RedisKeys.Shown(key)}: {text}", "It may be of a Redis module that is not loaded there. Load it, or see the server's log.", to.Url.ToString());

    /// <summary>Removes what was written, unless it replaced something.</summary>
    /// <returns>What is there now, as a sentence.</returns>
    private async Task<string> TakeBackAsync()
    {
        if (options.Replace)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{written:N0} of {item.Keys:N0} keys have the backup's values now, the others are as they were; run the restore again to bring the rest.");
        }

        using var limit = new CancellationTokenSource(CleanUpTime);
        long removed = 0;
        try
        {
            var session = await RedisSession.OpenAsync(to.Url, limit.Token).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                var reader = new RedisPartReader(archive, item.Extra);
                await using (reader.ConfigureAwait(false))
                {
                    var batch = new List<byte[]>();
                    var database = -1;
                    while (reader.Ordinal < sent && await reader.NextAsync(limit.Token).ConfigureAwait(false))
                    {
                        if (!item.Counts(reader) || (reader.Expires > 0 && reader.Expires <= now) || notOurs.Contains(reader.Ordinal))
                        {
                            continue;
                        }

                        if (reader.Database != database || batch.Count == options.KeysAtOnce)
                        {
                            removed += await RemoveAsync(session, database, batch, limit.Token).ConfigureAwait(false);
                            database = reader.Database;
                        }

                        batch.Add(reader.Key);
                    }

                    removed += await RemoveAsync(session, database, batch, limit.Token).ConfigureAwait(false);
                }
            }

            return string.Create(CultureInfo.InvariantCulture, $"The {removed:N0} keys that had been written were removed again.");
        }
        catch (Exception e) when (e is MoltException or OperationCanceledException or InvalidDataException)
        {
            return string.Create(CultureInfo.InvariantCulture, $"Up to {written - removed:N0} of {item.Keys:N0} keys may be there now and could not be removed again{(e is MoltException ? $": {e.Message}" : " in time.")} To bring the rest, run the restore again with -ReplaceKeys.");
        }
    }

    private static async Task<long> RemoveAsync(RedisSession session, int database, List<byte[]> batch, CancellationToken cancellationToken)
    {
        if (batch.Count == 0)
        {
            return 0;
        }

        await session.SelectAsync(database, cancellationToken).ConfigureAwait(false);
        session.Out.Command("UNLINK"u8, batch);
        await session.FlushAsync(cancellationToken).ConfigureAwait(false);
        batch.Clear();
        return (await session.AnswerAsync("UNLINK", cancellationToken).ConfigureAwait(false)).Head.Number;
    }

    private sealed class Batch
    {
        public int Database { get; set; } = -1;

        public List<(byte[] Key, long Ordinal)> Keys { get; } = [];

        public ArrayBufferWriter<byte> Commands { get; } = new(1 << 16);
    }
}
