using System.Globalization;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>Looks what a restore of keys would do, and reads all of the backup's keys for it: nothing is written from one that is not whole.</summary>
internal sealed class RedisRestorePlan(ArchiveReader archive, ExtraContents extra, RedisContents contents, RedisTarget to, RedisRestore options)
{
    private const int NamesShown = 10;

    private readonly Dictionary<UInt128, long> last = [];
    private readonly List<string> names = [];
    private byte[] firstKey = [];
    private long keys;
    private long expired;
    private long existing;
    private long bytes;

    public async Task<RedisRestoreItem> MakeAsync(CancellationToken cancellationToken)
    {
        var session = await RedisSession.OpenAsync(to.Url, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            var info = await RedisServerInfo.ReadAsync(session, to.Url, cancellationToken).ConfigureAwait(false);
            foreach (var database in contents.Databases.Where(d => d.Keys > 0 && to.Takes(d.Number)))
            {
                await session.SelectAsync(database.Number, cancellationToken).ConfigureAwait(false);
            }

            await FindRepeatedAsync(cancellationToken).ConfigureAwait(false);
            await LookAsync(session, cancellationToken).ConfigureAwait(false);
            var problem = await ProblemAsync(session, info, cancellationToken).ConfigureAwait(false);
            var databases = contents.Databases.Where(d => d.Keys > 0 && to.Takes(d.Number)).Select(d => d.Number.ToString(CultureInfo.InvariantCulture));
            return new RedisRestoreItem(extra.Name, to.Url.ToString(), string.Create(CultureInfo.InvariantCulture,
                $"Restore {keys:N0} keys into database {string.Join(", ", databases)}, as they were between {contents.Began.UtcDateTime:yyyy-MM-dd HH:mm:ss} and {contents.Ended.UtcDateTime:HH:mm:ss} UTC{(existing > 0 && options.Replace ? $", replacing {existing:N0} that are there" : "")}{(expired > 0 ? $", leaving out {expired:N0} that have expired" : "")}"))
            {
                Problem = problem,
                To = to,
                Extra = extra,
                Last = last,
                Keys = keys,
                Existing = existing,
            };
        }
    }

    /// <summary>Of keys that came again while the backup was made, the last counts. Reads everything, and so finds damage.</summary>
    private async Task FindRepeatedAsync(CancellationToken cancellationToken)
    {
        var reader = new RedisPartReader(archive, extra);
        await using (reader.ConfigureAwait(false))
        {
            while (await reader.NextAsync(cancellationToken).ConfigureAwait(false))
            {
                firstKey = reader.Ordinal == 1 ? reader.Key : firstKey;
                if (reader.MayRepeat)
                {
                    last[RedisSeen.Hash(reader.Database, reader.Key)] = reader.Ordinal;
                }
            }
        }
    }

    /// <summary>Counts, and asks which keys are there.</summary>
    private async Task LookAsync(RedisSession session, CancellationToken cancellationToken)
    {
        var counting = new RedisRestoreItem("", "", "") { To = to, Extra = extra, Last = last, Keys = 0, Existing = 0 };
        var now = await RedisKeys.NowAsync(session, cancellationToken).ConfigureAwait(false);
        var reader = new RedisPartReader(archive, extra);
        await using (reader.ConfigureAwait(false))
        {
            var batch = new List<byte[]>();
            var database = -1;
            while (await reader.NextAsync(cancellationToken).ConfigureAwait(false))
            {
                if (!counting.Counts(reader))
                {
                    continue;
                }

                if (reader.Expires > 0 && reader.Expires <= now)
                {
                    expired++;
                    continue;
                }

                if (reader.Database != database || batch.Count == options.KeysAtOnce)
                {
                    await CountExistingAsync(session, database, batch, cancellationToken).ConfigureAwait(false);
                    database = reader.Database;
                }

                keys++;
                bytes += reader.PayloadBytes;
                batch.Add(reader.Key);
            }

            await CountExistingAsync(session, database, batch, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task CountExistingAsync(RedisSession session, int database, List<byte[]> batch, CancellationToken cancellationToken)
    {
        if (batch.Count == 0)
        {
            return;
        }

        await session.SelectAsync(database, cancellationToken).ConfigureAwait(false);
        session.Out.Command("EXISTS"u8, batch);
        await session.FlushAsync(cancellationToken).ConfigureAwait(false);
        var there = (await session.AnswerAsync("EXISTS", cancellationToken).ConfigureAwait(false)).Head.Number;
        existing += there;
        if (there > 0 && names.Count < NamesShown)
        {
            batch.ForEach(k => session.Out.Command("EXISTS"u8, k));
            await session.FlushAsync(cancellationToken).ConfigureAwait(false);
            foreach (var key in batch)
            {
                if ((await session.AnswerAsync("EXISTS", cancellationToken).ConfigureAwait(false)).Head.Number > 0 && names.Count < NamesShown)
                {
                    names.Add(RedisKeys.Shown(key));
                }
            }
        }

        batch.Clear();
    }

    private async Task<MoltException?> ProblemAsync(RedisSession session, RedisServerInfo info, CancellationToken cancellationToken)
    {
        MoltException Problem(string id, ErrorKind kind, string message, string remedy) => new(id, kind, message, remedy, to.Url.ToString());
        if (contents.Incomplete is { } why)
        {
            return Problem("RedisIncomplete", ErrorKind.InvalidData, $"The backup has only some of the keys of {extra.Name}: {why}",
                "Choose another backup. What is there can be loaded with redis-cli --pipe, as docs/archive-format.md shows.");
        }

        if (info.IsReplica)
        {
            return Problem("RedisIsReplica", ErrorKind.NotSupported, $"The Redis server {to.Url} is a replica and takes no writes.", "Name its master.");
        }

        if (keys == 0)
        {
            return null;
        }

        if (!await RedisProbe.TakesAsync(session, firstKey, contents.PayloadVersion, cancellationToken).ConfigureAwait(false))
        {
            return Problem("RedisOlderThanBackup", ErrorKind.NotSupported, string.Create(CultureInfo.InvariantCulture, $"The keys are of {contents.Server} (payloads of version {contents.PayloadVersion}), and {to.Url} is {info.Version}, which does not know that version."),
                "Restore into that version of Redis or a newer one.");
        }

        if (await LongestPayloadAsync(session, cancellationToken).ConfigureAwait(false) is { } most && contents.LargestPayload > most)
        {
            return Problem("RedisPayloadTooLarge", ErrorKind.ResourceFull, string.Create(CultureInfo.InvariantCulture, $"The largest value has {contents.LargestPayload:N0} bytes, and {to.Url} takes {most:N0} at once."),
                "Raise proto-max-bulk-len of that server.");
        }

        if (!options.Replace && info.MaxMemory > 0 && info.UsedMemory + bytes > info.MaxMemory)
        {
            return Problem("RedisFull", ErrorKind.ResourceFull, string.Create(CultureInfo.InvariantCulture, $"The keys take {bytes:N0} bytes at least, and {to.Url} has {info.MaxMemory - info.UsedMemory:N0} left of its maxmemory (policy {info.MaxMemoryPolicy})."),
                "Raise maxmemory, or free memory there.");
        }

        return existing > 0 && !options.Replace
            ? KeysExist(to, existing, names)
            : null;
    }

    internal static MoltException KeysExist(RedisTarget to, long existing, IReadOnlyList<string> names)
        => new("RedisKeysExist", ErrorKind.AlreadyExists, string.Create(CultureInfo.InvariantCulture, $"{existing:N0} of the keys are in {to.Url} already{(names.Count > 0 ? $": {string.Join(", ", names)}{(existing > names.Count ? ", …" : "")}" : "")}. None is touched."),
            "Restore into an empty Redis, or pass -ReplaceKeys to put the backup's values in their place.", to.Url.ToString());

    /// <summary>Null where the server does not tell.</summary>
    private static async Task<long?> LongestPayloadAsync(RedisSession session, CancellationToken cancellationToken)
    {
        session.Out.Command("CONFIG", "GET", "proto-max-bulk-len");
        await session.FlushAsync(cancellationToken).ConfigureAwait(false);
        return await session.Reader.ValueAsync(cancellationToken).ConfigureAwait(false) is { List: [_, var value] } && long.TryParse(value.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var most) ? most : null;
    }
}
