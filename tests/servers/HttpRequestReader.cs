using System.Globalization;
using System.Text;

namespace MoltBeat.TestServers;

/// <summary>A request as a proxy has seen it.</summary>
/// <param name="Method">Such as <c>GET</c>.</param>
/// <param name="Target">Path and query as they were sent, percent signs and all.</param>
public sealed record ProxiedRequest(string Method, string Target);

/// <summary>The head of a request: its bytes, and what of it tells where its body ends.</summary>
internal sealed record HttpRequestHead(byte[] Bytes, ProxiedRequest Request, long Length, bool Chunked, bool ExpectsContinue);

/// <summary>Takes the requests of one HTTP/1.1 connection apart, one after the other; their bytes stay what they were.</summary>
internal sealed class HttpRequestReader(Stream stream)
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    /// <summary>The next head; null when the client has closed the connection.</summary>
    /// <exception cref="InvalidDataException">It is no head, or longer than 64 KiB.</exception>
    public async Task<HttpRequestHead?> ReadHeadAsync(CancellationToken cancel)
    {
        int length;
        while ((length = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8)) < 0)
        {
            if (!await FillAsync(cancel).ConfigureAwait(false))
                return null;
        }

        var bytes = _buffer.AsSpan(_start, length + 4).ToArray();
        _start += bytes.Length;
        var lines = Encoding.Latin1.GetString(bytes).Split("\r\n");
        if (lines[0].Split(' ') is not [var method, var target, _])
            throw new InvalidDataException($"No request: {lines[0]}");
        string? Header(string name) => lines.Skip(1)
            .FirstOrDefault(l => l.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
        return new HttpRequestHead(
            bytes, new ProxiedRequest(method, target), long.Parse(Header("Content-Length") ?? "0", CultureInfo.InvariantCulture),
            Header("Transfer-Encoding") is not null, Header("Expect") is not null);
    }

    /// <summary>Hands the body of a request to <paramref name="sink"/>, as it comes.</summary>
    /// <exception cref="EndOfStreamException">The client has closed the connection before the end.</exception>
    public async Task CopyBodyAsync(HttpRequestHead head, Func<ReadOnlyMemory<byte>, Task> sink, CancellationToken cancel)
    {
        if (!head.Chunked)
        {
            await CopyAsync(head.Length, sink, cancel).ConfigureAwait(false);
            return;
        }

        while (true)
        {
            var line = await CopyLineAsync(sink, cancel).ConfigureAwait(false);
            var size = long.Parse(line.Split(';')[0].Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (size == 0)
                break;
            await CopyAsync(size + 2, sink, cancel).ConfigureAwait(false);
        }

        while (await CopyLineAsync(sink, cancel).ConfigureAwait(false) is not "\r\n")
        {
            // The trailer.
        }
    }

    private async Task CopyAsync(long length, Func<ReadOnlyMemory<byte>, Task> sink, CancellationToken cancel)
    {
        while (length > 0)
        {
            if (_start == _end && !await FillAsync(cancel).ConfigureAwait(false))
                throw new EndOfStreamException();
            var count = (int)Math.Min(length, _end - _start);
            await sink(_buffer.AsMemory(_start, count)).ConfigureAwait(false);
            _start += count;
            length -= count;
        }
    }

    private async Task<string> CopyLineAsync(Func<ReadOnlyMemory<byte>, Task> sink, CancellationToken cancel)
    {
        int length;
        while ((length = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8)) < 0)
        {
            if (!await FillAsync(cancel).ConfigureAwait(false))
                throw new EndOfStreamException();
        }

        var line = _buffer.AsMemory(_start, length + 2);
        _start += line.Length;
        var text = Encoding.Latin1.GetString(line.Span);
        await sink(line).ConfigureAwait(false);
        return text;
    }

    private async Task<bool> FillAsync(CancellationToken cancel)
    {
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        if (_end == _buffer.Length)
            throw new InvalidDataException("A line or a head of more than 64 KiB.");
        var read = await stream.ReadAsync(_buffer.AsMemory(_end), cancel).ConfigureAwait(false);
        _end += read;
        return read > 0;
    }
}
