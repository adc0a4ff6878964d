using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>Posts JSON to a service. Proxies are those of the environment, and trusted authorities those of the machine.</summary>
/// <param name="address">May be a secret.</param>
/// <param name="name">What messages call the service.</param>
/// <param name="secrets">What must not be repeated.</param>
internal sealed class AlertHttp(Uri address, string name, IReadOnlyList<string> secrets)
{
    private const int LongestAnswer = 8 << 10;

    // A redirect is not followed: it would carry the message, and what authorizes it, to a place that nobody has chosen.
    private static readonly HttpClient s_client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        MaxResponseHeadersLength = 64,
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>Tries once.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="headers">Further ones.</param>
    /// <param name="isTaken">Whether the body of a successful answer is the service's; a proxy may answer in its place.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    public async Task<ChannelAnswer> PostAsync(ReadOnlyMemory<byte> json, IEnumerable<KeyValuePair<string, string>> headers, Func<string, bool> isTaken, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ReadOnlyMemoryContent(json) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" };
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("MoltBeat.DR", null));
        foreach (var (header, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(header, value))
            {
                return new(ChannelOutcome.Refused, $"what is to stand in the header {header} cannot");
            }
        }

        try
        {
            using var response = await s_client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            var text = await BodyAsync(response, cancellationToken).ConfigureAwait(false);
            return Judge(response, text, isTaken);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or InvalidOperationException)
        {
            return new(ChannelOutcome.Again, Trouble(e));
        }
    }

    private ChannelAnswer Judge(HttpResponseMessage response, string text, Func<string, bool> isTaken)
    {
        var status = (int)response.StatusCode;
        var said = $"{name} answered {status}" + (text.Length > 0 ? $": {AlertText.Redact(text, secrets)}" : "");
        var after = response.Headers.RetryAfter is { } retry ? retry.Delta ?? (retry.Date - DateTimeOffset.UtcNow) : null;
        return status switch
        {
            >= 200 and < 300 => isTaken(text) ? new(ChannelOutcome.Delivered, $"{name} took it") : new(ChannelOutcome.Again, said + ", which is not its answer: something answers in its place"),
            >= 300 and < 400 => new(ChannelOutcome.Again, $"{name} answered {status}: it sends elsewhere, and that is not followed"),
            407 or 408 or 425 or 429 or >= 500 => new(ChannelOutcome.Again, said, after is { } time && time > TimeSpan.Zero ? time : null),
            _ => new(ChannelOutcome.Refused, said),
        };
    }

    private static async Task<string> BodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        using var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        var bytes = new byte[LongestAnswer];
        var length = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        return Encoding.UTF8.GetString(bytes, 0, length).Trim();
    }

    // The exception's own text may name the address.
    private string Trouble(Exception e) => (e as HttpRequestException)?.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => $"the name of {name}'s server is not known",
        HttpRequestError.ConnectionError => $"{name} cannot be reached",
        HttpRequestError.SecureConnectionError => $"no safe connection to {name} came about: its certificate is not trusted, or the clock is wrong",
        HttpRequestError.ProxyTunnelError => $"the proxy does not let through to {name}",
        _ when e is HttpRequestException { StatusCode: HttpStatusCode.ProxyAuthenticationRequired } => "the proxy wants a login",
        _ => $"the connection to {name} broke off",
    };
}
