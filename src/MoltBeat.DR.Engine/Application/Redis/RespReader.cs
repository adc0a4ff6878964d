using System.Buffers.Text;
using System.Text;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>Gives the next bytes; 0 at the end.</summary>
internal delegate ValueTask<int> RespFill(Memory<byte> buffer, CancellationToken cancellationToken);

/// <summary>The first line of a value in RESP, Redis' protocol (version 2).</summary>
/// <param name="Type"><c>+</c> text, <c>-</c> error, <c>:</c> number, <c>$</c> bytes, <c>*</c> list.</param>
/// <param name="Number">The number, the count of bytes, or the count of items; -1 where there is nothing.</param>
/// <param name="Text">Of a text or an error.</param>
internal readonly record struct RespHead(char Type, long Number, string? Text)
{
    public bool IsError => Type == '-';
}

/// <summary>A whole value, for those that are small.</summary>
internal sealed record RespValue(RespHead Head, byte[]? Bytes, RespValue[]? Items)
{
    public string Text => Head.Text ?? (Bytes is null ? "" : Encoding.UTF8.GetString(Bytes));

    public IReadOnlyList<RespValue> List => Items ?? [];
}

/// <summary>Reads RESP without ever holding more of it than a piece: a value may be larger than memory.</summary>
internal sealed class RespReader(RespFill fill)
{
    private const int BufferBytes = 1 << 16;

    /// <summary>Bytes of all parts of a value that is read whole.</summary>
    private const int LargestWhole = 1 << 26;

    private readonly byte[] buffer = new byte[BufferBytes];
    private int at;
    private int end;

    /// <summary>Whether nothing follows.</summary>
    public async ValueTask<bool> AtEndAsync(CancellationToken cancellationToken) => at == end && !await FillAsync(cancellationToken).ConfigureAwait(false);

    /// <exception cref="InvalidDataException">It is no RESP, or ends in the middle.</exception>
    public ValueTask<RespHead> HeadAsync(CancellationToken cancellationToken)
        => TryHead(out var head) ? ValueTask.FromResult(head) : SlowHeadAsync(cancellationToken);

    /// <summary>Passes on a value's bytes, whose head has been read, piece by piece.</summary>
    public async ValueTask CopyAsync(long length, Func<ReadOnlyMemory<byte>, ValueTask> sink, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            if (at == end && !await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new InvalidDataException();
            }

            var n = (int)Math.Min(length, end - at);
            await sink(buffer.AsMemory(at, n)).ConfigureAwait(false);
            at += n;
            length -= n;
        }

        await EndOfBytesAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads a value's bytes, whose head has been read.</summary>
    public async ValueTask<byte[]> BytesAsync(long length, CancellationToken cancellationToken)
    {
        if (length is < 0 or > LargestWhole)
        {
            throw new InvalidDataException();
        }

        var bytes = new byte[length];
        for (var have = 0; have < bytes.Length;)
        {
            if (at == end && !await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new InvalidDataException();
            }

            var n = Math.Min(bytes.Length - have, end - at);
            buffer.AsSpan(at, n).CopyTo(bytes.AsSpan(have));
            at += n;
            have += n;
        }

        await EndOfBytesAsync(cancellationToken).ConfigureAwait(false);
        return bytes;
    }

    /// <summary>Reads a whole value.</summary>
    public async ValueTask<RespValue> ValueAsync(CancellationToken cancellationToken, int depth = 0)
    {
        var head = await HeadAsync(cancellationToken).ConfigureAwait(false);
        if (head.Type == '$' && head.Number >= 0)
        {
            return new RespValue(head, await BytesAsync(head.Number, cancellationToken).ConfigureAwait(false), null);
        }

        if (head.Type != '*' || head.Number < 0)
        {
            return new RespValue(head, null, null);
        }

        if (head.Number > 1 << 20 || depth > 4)
        {
            throw new InvalidDataException();
        }

        var items = new RespValue[head.Number];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = await ValueAsync(cancellationToken, depth + 1).ConfigureAwait(false);
        }

        return new RespValue(head, null, items);
    }

    private async ValueTask<RespHead> SlowHeadAsync(CancellationToken cancellationToken)
    {
        RespHead head;
        do
        {
            if (end - at == BufferBytes || !await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new InvalidDataException();
            }
        }
        while (!TryHead(out head));
        return head;
    }

    private bool TryHead(out RespHead head)
    {
        var open = buffer.AsSpan(at, end - at);
        var line = open.IndexOf((byte)'\n');
        if (line < 0)
        {
            head = default;
            return false;
        }

        if (line < 2 || open[line - 1] != '\r')
        {
            throw new InvalidDataException();
        }

        var type = (char)open[0];
        var content = open[1..(line - 1)];
        switch (type)
        {
            case '+' or '-':
                head = new RespHead(type, 0, content.SequenceEqual("OK"u8) ? "OK" : content.SequenceEqual("QUEUED"u8) ? "QUEUED" : Encoding.UTF8.GetString(content));
                break;
            case ':' or '$' or '*' when Utf8Parser.TryParse(content, out long number, out var used) && used == content.Length && (type == ':' || number >= -1):
                head = new RespHead(type, number, null);
                break;
            default:
                throw new InvalidDataException();
        }

        at += line + 1;
        return true;
    }

    private async ValueTask EndOfBytesAsync(CancellationToken cancellationToken)
    {
        while (end - at < 2)
        {
            if (!await FillAsync(cancellationToken).ConfigureAwait(false))
            {
                throw new InvalidDataException();
            }
        }

        if (buffer[at] != '\r' || buffer[at + 1] != '\n')
        {
            throw new InvalidDataException();
        }

        at += 2;
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (at == end)
        {
            at = end = 0;
        }
        else if (at > 0)
        {
            buffer.AsSpan(at, end - at).CopyTo(buffer);
            end -= at;
            at = 0;
        }

        var n = await fill(buffer.AsMemory(end), cancellationToken).ConfigureAwait(false);
        end += n;
        return n > 0;
    }
}
