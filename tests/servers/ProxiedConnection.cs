using System.Net.Sockets;

namespace MoltBeat.TestServers;

/// <summary>One client's connection through a <see cref="FaultProxy"/>, and the one to the server that belongs to it.</summary>
internal sealed class ProxiedConnection(FaultProxy proxy, Socket client) : IDisposable
{
    private readonly Socket _server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    // What the server sends belongs to the last request: the next comes only when its answer has been read to its end.
    private volatile Exchange? _exchange;

    private sealed class Exchange(Fault? fault)
    {
        public Fault? Fault => fault;

        public long Sent { get; set; }

        public long Received { get; set; }
    }

    /// <summary>Serves the client until one of the three ends it.</summary>
    public async Task RunAsync(Uri server, CancellationToken cancel)
    {
        client.NoDelay = true;
        try
        {
            await _server.ConnectAsync(server.Host, server.Port, cancel).ConfigureAwait(false);
            await Task.WhenAll(EndingAsync(PassRequestsAsync(cancel)), EndingAsync(PassResponsesAsync(cancel))).ConfigureAwait(false);
        }
        catch (Exception e) when (IsEnd(e))
        {
            Reset();
        }
    }

    /// <summary>Cuts both connections as a broken network does: the client gets a reset, and no end.</summary>
    public void Reset()
    {
        foreach (var socket in new[] { client, _server })
        {
            try
            {
                socket.LingerState = new LingerOption(true, 0);
            }
            catch (Exception e) when (IsEnd(e))
            {
                // Closed already.
            }

            socket.Dispose();
        }
    }

    public void Dispose()
    {
        client.Dispose();
        _server.Dispose();
    }

    /// <summary>What ends one direction in an error ends the other, too.</summary>
    private async Task EndingAsync(Task direction)
    {
        try
        {
            await direction.ConfigureAwait(false);
        }
        catch (Exception e) when (IsEnd(e) || e is InvalidDataException or FormatException)
        {
            Reset();
        }
    }

    private async Task PassRequestsAsync(CancellationToken cancel)
    {
        using var stream = new NetworkStream(client, ownsSocket: false);
        var reader = new HttpRequestReader(stream);
        while (await reader.ReadHeadAsync(cancel).ConfigureAwait(false) is { } head)
        {
            var fault = proxy.Take(head.Request);
            var exchange = new Exchange(fault);
            _exchange = exchange;
            if (fault is { Delay.Ticks: > 0 })
                await Task.Delay(fault.Delay, cancel).ConfigureAwait(false);
            if (fault is { BlackHole: true })
                await WaitForEndAsync(stream, cancel).ConfigureAwait(false);
            if (fault is { Answer: { } answer })
            {
                // A client that waits for leave to send its body may take the answer for a no, and not send it.
                if (!head.ExpectsContinue)
                    await reader.CopyBodyAsync(head, _ => Task.CompletedTask, cancel).ConfigureAwait(false);
                await SendAsync(client, answer.ToBytes(head.Request, close: head.ExpectsContinue), cancel).ConfigureAwait(false);
                if (head.ExpectsContinue)
                    break;
                continue;
            }

            await SendAsync(_server, head.Bytes, cancel).ConfigureAwait(false);
            if (fault is { CutRequestAfter: 0 })
                throw new EndOfStreamException();
            await reader.CopyBodyAsync(head, bytes => PassBodyAsync(exchange, bytes, cancel), cancel).ConfigureAwait(false);
        }

        _server.Shutdown(SocketShutdown.Send);
    }

    private async Task PassBodyAsync(Exchange exchange, ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        var cut = exchange.Fault?.CutRequestAfter - exchange.Sent;
        exchange.Sent += bytes.Length;
        if (cut <= bytes.Length)
        {
            await SendAsync(_server, bytes[..(int)cut.Value], cancel).ConfigureAwait(false);
            throw new EndOfStreamException();
        }

        await PassAsync(_server, bytes, exchange.Fault?.BytesPerSecond, cancel).ConfigureAwait(false);
    }

    private async Task PassResponsesAsync(CancellationToken cancel)
    {
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await _server.ReceiveAsync(buffer, cancel).ConfigureAwait(false)) > 0)
        {
            var bytes = buffer.AsMemory(0, read);
            proxy.Answered(read);
            if (_exchange is not { Fault: { } fault } exchange)
            {
                await SendAsync(client, bytes, cancel).ConfigureAwait(false);
                continue;
            }

            // The leave to send the body is no answer.
            if (exchange.Received == 0 && bytes.Span.StartsWith("HTTP/1.1 100"u8))
            {
                var interim = bytes.Span.IndexOf("\r\n\r\n"u8) + 4;
                await SendAsync(client, bytes[..interim], cancel).ConfigureAwait(false);
                bytes = bytes[interim..];
                if (bytes.IsEmpty)
                    continue;
            }

            var cut = fault.CutResponseAfter - exchange.Received;
            var stall = fault.StallResponseAfter - exchange.Received;
            exchange.Received += bytes.Length;
            if (stall <= bytes.Length)
            {
                await SendAsync(client, bytes[..(int)stall.Value], cancel).ConfigureAwait(false);
                await Task.Delay(Timeout.Infinite, cancel).ConfigureAwait(false);
            }

            if (cut <= bytes.Length)
            {
                await SendAsync(client, bytes[..(int)cut.Value], cancel).ConfigureAwait(false);
                throw new EndOfStreamException();
            }

            await PassAsync(client, bytes, fault.BytesPerSecond, cancel).ConfigureAwait(false);
        }

        client.Shutdown(SocketShutdown.Send);
    }

    private static async Task PassAsync(Socket socket, ReadOnlyMemory<byte> bytes, int? bytesPerSecond, CancellationToken cancel)
    {
        if (bytesPerSecond is not { } rate)
        {
            await SendAsync(socket, bytes, cancel).ConfigureAwait(false);
            return;
        }

        // Ten times a second, so that it is slow and does not stop and go.
        for (var step = Math.Max(1, rate / 10); !bytes.IsEmpty;)
        {
            var part = bytes[..Math.Min(step, bytes.Length)];
            await SendAsync(socket, part, cancel).ConfigureAwait(false);
            bytes = bytes[part.Length..];
            await Task.Delay(TimeSpan.FromSeconds((double)part.Length / rate), cancel).ConfigureAwait(false);
        }
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await socket.SendAsync(bytes, cancel).ConfigureAwait(false)..];
    }

    private static async Task WaitForEndAsync(Stream stream, CancellationToken cancel)
    {
        var buffer = new byte[64 * 1024];
        while (await stream.ReadAsync(buffer, cancel).ConfigureAwait(false) > 0)
        {
            // What the client still sends is swallowed.
        }

        throw new EndOfStreamException();
    }

    private static bool IsEnd(Exception e) => e is IOException or SocketException or ObjectDisposedException or OperationCanceledException;
}
