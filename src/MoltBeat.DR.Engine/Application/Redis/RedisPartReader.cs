using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// Reads the keys of a backup, one after another, their payloads in pieces. Believes nothing: what is no such command is a damaged
/// archive, and what a part gives is to be believed only once it has ended, as its digest is compared then.
/// </summary>
internal sealed class RedisPartReader(ArchiveReader archive, ExtraContents extra) : IAsyncDisposable
{
    private const int LongestKey = 1 << 26;

    private readonly Queue<ExtraPart> parts = new(extra.Parts);
    private ExtraPart? part;
    private ExtraReader? content;
    private RespReader? reader;
    private long itemsLeft;
    private bool payloadOpen;
    private long words;

    /// <summary>The number of the present key, from 1.</summary>
    public long Ordinal { get; private set; }

    public int Database { get; private set; }

    public byte[] Key { get; private set; } = [];

    /// <summary>UTC in milliseconds since 1970; 0 for never.</summary>
    public long Expires { get; private set; }

    /// <summary>Whether it may have come before.</summary>
    public bool MayRepeat { get; private set; }

    public long PayloadBytes { get; private set; }

    /// <summary>Goes on to the next key.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="MoltException"><c>ArchiveDamaged</c>.</exception>
    public async ValueTask<bool> NextAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (payloadOpen)
            {
                await PayloadAsync(_ => ValueTask.CompletedTask, cancellationToken).ConfigureAwait(false);
            }

            while (true)
            {
                if (reader is null)
                {
                    if (!parts.TryDequeue(out part))
                    {
                        return false;
                    }

                    content = archive.OpenExtra(part);
                    reader = new RespReader(content.ReadAsync);
                    itemsLeft = part.Items;
                    if (await WordAsync(await ListAsync(cancellationToken).ConfigureAwait(false) == 2 ? 16 : 0, cancellationToken).ConfigureAwait(false) != "ECHO"
                        || await WordAsync(64, cancellationToken).ConfigureAwait(false) is var greeting && greeting != RedisPartWriter.Greeting)
                    {
                        throw Damaged("does not begin as keys of Redis do");
                    }
                }

                if (await reader.AtEndAsync(cancellationToken).ConfigureAwait(false))
                {
                    await content!.DisposeAsync().ConfigureAwait(false);
                    reader = null;
                    if (itemsLeft != 0)
                    {
                        throw Damaged("does not hold as many keys as the contents say");
                    }

                    continue;
                }

                words = await ListAsync(cancellationToken).ConfigureAwait(false);
                switch (await WordAsync(16, cancellationToken).ConfigureAwait(false))
                {
                    case "SELECT" when words == 2 && int.TryParse(await WordAsync(16, cancellationToken).ConfigureAwait(false), NumberStyles.None, CultureInfo.InvariantCulture, out var database):
                        Database = database;
                        continue;
                    case "RESTORE" when words is 5 or 6:
                        await KeyAsync(cancellationToken).ConfigureAwait(false);
                        return true;
                    default:
                        throw Damaged("holds what is no key of Redis");
                }
            }
        }
        catch (InvalidDataException)
        {
            throw Damaged("does not hold what keys of Redis look like");
        }
    }

    /// <summary>Passes on the present key's payload.</summary>
    /// <exception cref="MoltException"><c>ArchiveDamaged</c>.</exception>
    public async ValueTask PayloadAsync(Func<ReadOnlyMemory<byte>, ValueTask> sink, CancellationToken cancellationToken)
    {
        try
        {
            await reader!.CopyAsync(PayloadBytes, sink, cancellationToken).ConfigureAwait(false);
            payloadOpen = false;
            if (await WordAsync(16, cancellationToken).ConfigureAwait(false) != "ABSTTL" || (MayRepeat && await WordAsync(16, cancellationToken).ConfigureAwait(false) != "REPLACE"))
            {
                throw Damaged("holds what is no key of Redis");
            }
        }
        catch (InvalidDataException)
        {
            throw Damaged("does not hold what keys of Redis look like");
        }
    }

    public ValueTask DisposeAsync() => content?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async ValueTask KeyAsync(CancellationToken cancellationToken)
    {
        var key = await reader!.HeadAsync(cancellationToken).ConfigureAwait(false);
        if (key.Type != '$' || key.Number is < 0 or > LongestKey)
        {
            throw new InvalidDataException();
        }

        Key = await reader.BytesAsync(key.Number, cancellationToken).ConfigureAwait(false);
        if (!long.TryParse(await WordAsync(20, cancellationToken).ConfigureAwait(false), NumberStyles.None, CultureInfo.InvariantCulture, out var expires) || --itemsLeft < 0)
        {
            throw new InvalidDataException();
        }

        var payload = await reader.HeadAsync(cancellationToken).ConfigureAwait(false);
        if (payload.Type != '$' || payload.Number < 0)
        {
            throw new InvalidDataException();
        }

        Expires = expires;
        MayRepeat = words == 6;
        PayloadBytes = payload.Number;
        payloadOpen = true;
        Ordinal++;
    }

    private async ValueTask<long> ListAsync(CancellationToken cancellationToken)
        => await reader!.HeadAsync(cancellationToken).ConfigureAwait(false) is { Type: '*' } list ? list.Number : throw new InvalidDataException();

    private async ValueTask<string> WordAsync(int longest, CancellationToken cancellationToken)
        => await reader!.HeadAsync(cancellationToken).ConfigureAwait(false) is { Type: '$' } word && word.Number >= 0 && word.Number <= longest
            ? Encoding.ASCII.GetString(await reader.BytesAsync(word.Number, cancellationToken).ConfigureAwait(false))
            : throw new InvalidDataException();

    private MoltException Damaged(string how) => ArchiveReader.Damaged(archive.Location, $"{part?.Member} {how}");
}
