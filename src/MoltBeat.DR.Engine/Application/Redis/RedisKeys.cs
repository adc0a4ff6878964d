using System.Globalization;
using System.Text;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>What an answer says of one key.</summary>
/// <param name="Index">Its place in the question.</param>
/// <param name="Expires">UTC in milliseconds since 1970 when it expires; 0 for never.</param>
/// <param name="Length">Bytes of its payload; -1 when there is no such key.</param>
internal readonly record struct DumpedKey(int Index, long Expires, long Length);

/// <summary>Asks for values and times to live of several keys at one instant.</summary>
internal static class RedisKeys
{
    /// <summary>
    /// Writes the question. A transaction, so that no value comes with another one's time to live; and with the server's own
    /// clock, by which the times are counted.
    /// </summary>
    public static void Ask(RedisSession session, IReadOnlyList<byte[]> keys)
    {
        session.Out.Command("MULTI");
        session.Out.Command("TIME");
        foreach (var key in keys)
        {
            session.Out.Command("PTTL"u8, key);
            session.Out.Command("DUMP"u8, key);
        }

        session.Out.Command("EXEC");
    }

    /// <summary>Reads the answer.</summary>
    /// <param name="session">Where it was asked.</param>
    /// <param name="count">How many keys were asked for.</param>
    /// <param name="each">Is told of each; must read the payload when there is one.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">What the server refuses; <c>RedisConnectionLost</c>.</exception>
    public static async Task ReadAsync(RedisSession session, int count, Func<DumpedKey, ValueTask> each, CancellationToken cancellationToken)
    {
        try
        {
            string? error = null;
            for (var i = 0; i < 2 + (2 * count); i++)
            {
                var queued = await session.Reader.HeadAsync(cancellationToken).ConfigureAwait(false);
                error ??= queued.IsError ? queued.Text : null;
            }

            var all = await session.Reader.HeadAsync(cancellationToken).ConfigureAwait(false);
            if (error is not null || all.IsError)
            {
                throw session.Refusal(error ?? all.Text!, "MULTI");
            }

            if (all.Type != '*' || all.Number != 1 + (2 * count))
            {
                throw new InvalidDataException();
            }

            var now = Milliseconds(await session.Reader.ValueAsync(cancellationToken).ConfigureAwait(false));
            for (var i = 0; i < count; i++)
            {
                var left = await session.Reader.HeadAsync(cancellationToken).ConfigureAwait(false);
                var payload = await session.Reader.HeadAsync(cancellationToken).ConfigureAwait(false);
                if (left.IsError || payload.IsError)
                {
                    throw session.Refusal(left.Text ?? payload.Text!, "DUMP");
                }

                await each(new DumpedKey(i, left.Number < 0 ? 0 : now + left.Number, payload.Number)).ConfigureAwait(false);
            }
        }
        catch (InvalidDataException e)
        {
            throw session.Nonsense(e);
        }
    }

    /// <summary>The server's clock: UTC in milliseconds since 1970.</summary>
    public static async Task<long> NowAsync(RedisSession session, CancellationToken cancellationToken)
        => Milliseconds(await session.CallAsync(cancellationToken, "TIME").ConfigureAwait(false));

    /// <summary>A key's name for people: what is no printable ASCII as \x and two digits, cut to 80.</summary>
    public static string Shown(ReadOnlySpan<byte> key)
    {
        var text = new StringBuilder();
        foreach (var b in key[..Math.Min(key.Length, 80)])
        {
            text.Append(b is >= 0x20 and < 0x7f and not (byte)'\\' ? ((char)b).ToString() : string.Create(CultureInfo.InvariantCulture, $"\\x{b:x2}"));
        }

        return key.Length > 80 ? text.Append('…').ToString() : text.ToString();
    }

    private static long Milliseconds(RespValue time)
        => time.List is [var seconds, var micros]
            ? (long.Parse(seconds.Text, CultureInfo.InvariantCulture) * 1000) + (long.Parse(micros.Text, CultureInfo.InvariantCulture) / 1000)
            : throw new InvalidDataException();
}
