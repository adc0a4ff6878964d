using System.Globalization;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>Reads restored keys back, and holds them against the backup.</summary>
internal sealed class RedisProof(ArchiveReader archive, RedisRestoreItem item, RedisRestore options, IOperationObserver observer, long restored)
{
    /// <summary>Milliseconds: a time to live and the clock that it is added to are read one after the other.</summary>
    private const long Tolerance = 1000;

    private const int NamesShown = 10;

    private readonly RedisPayloadDigest digest = new();
    private readonly List<string> wrong = [];
    private long wrongs;
    private long proven;
    private long other;

    /// <returns>Keys that are the backup's, and those whose bytes are not, which need not mean anything.</returns>
    /// <exception cref="MoltException"><c>RedisProofFailed</c>: keys are missing, or expire at another time.</exception>
    public async Task<(long Proven, long Other)> RunAsync(CancellationToken cancellationToken)
    {
        var session = await RedisSession.OpenAsync(item.To.Url, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            var reader = new RedisPartReader(archive, item.Extra);
            await using (reader.ConfigureAwait(false))
            {
                var batch = new List<Wanted>();
                var database = -1;
                long bytes = 0;
                while (await reader.NextAsync(cancellationToken).ConfigureAwait(false))
                {
                    if (!item.Counts(reader) || (reader.Expires > 0 && reader.Expires <= restored))
                    {
                        continue;
                    }

                    if (batch.Count > 0 && (reader.Database != database || batch.Count == options.KeysAtOnce || bytes + reader.PayloadBytes > options.BytesAtOnce))
                    {
                        await CompareAsync(session, database, batch, cancellationToken).ConfigureAwait(false);
                        bytes = 0;
                    }

                    database = reader.Database;
                    bytes += reader.PayloadBytes;
                    digest.Begin(reader.PayloadBytes);
                    await reader.PayloadAsync(piece =>
                    {
                        digest.Append(piece.Span);
                        return ValueTask.CompletedTask;
                    }, cancellationToken).ConfigureAwait(false);
                    batch.Add(new Wanted(reader.Key, reader.Expires, digest.End()));
                }

                await CompareAsync(session, database, batch, cancellationToken).ConfigureAwait(false);
            }
        }

        return wrongs == 0 ? (proven, other) : throw new MoltException("RedisProofFailed", ErrorKind.InvalidData,
            string.Create(CultureInfo.InvariantCulture, $"All keys were written to {item.To.Url}, and {wrongs:N0} of them are not there as they should be: {string.Join(", ", wrong)}{(wrongs > wrong.Count ? ", …" : "")}. {proven:N0} were proven. Everything was left as it is."),
            "If clients work with that server they may have removed or changed them. If not, look at its maxmemory-policy and its log.", item.To.Url.ToString());
    }

    private async Task CompareAsync(RedisSession session, int database, List<Wanted> batch, CancellationToken cancellationToken)
    {
        if (batch.Count == 0)
        {
            return;
        }

        await session.SelectAsync(database, cancellationToken).ConfigureAwait(false);
        var now = await RedisKeys.NowAsync(session, cancellationToken).ConfigureAwait(false);
        RedisKeys.Ask(session, batch.ConvertAll(w => w.Key));
        await session.FlushAsync(cancellationToken).ConfigureAwait(false);
        await RedisKeys.ReadAsync(session, batch.Count, async there =>
        {
            var wanted = batch[there.Index];
            if (there.Length < 0)
            {
                if (wanted.Expires == 0 || wanted.Expires > now + Tolerance)
                {
                    Wrong(wanted, "missing");
                }

                return;
            }

            digest.Begin(there.Length);
            await session.Reader.CopyAsync(there.Length, piece =>
            {
                digest.Append(piece.Span);
                return ValueTask.CompletedTask;
            }, cancellationToken).ConfigureAwait(false);
            if ((there.Expires == 0) != (wanted.Expires == 0) || Math.Abs(there.Expires - wanted.Expires) > Tolerance)
            {
                Wrong(wanted, "expires at another time");
            }
            else if (digest.End() == wanted.Digest)
            {
                proven++;
            }
            else
            {
                other++;
            }
        }, cancellationToken).ConfigureAwait(false);
        batch.Clear();
        observer.Progress(new OperationProgress($"Restoring {item.To.Url}", string.Create(CultureInfo.InvariantCulture, $"proof: {proven + other:N0} of {item.Keys:N0} keys"), item.Keys > 0 ? Math.Min(1, (double)(proven + other) / item.Keys) : null, null));
    }

    private void Wrong(Wanted key, string how)
    {
        wrongs++;
        if (wrong.Count < NamesShown)
        {
            wrong.Add($"{RedisKeys.Shown(key.Key)} ({how})");
        }
    }

    private readonly record struct Wanted(byte[] Key, long Expires, UInt128 Digest);
}
