using System.Globalization;
using System.Net;
using Amazon.Runtime;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>
/// HTTP for one object store, in which a request ends when no byte of it moves for too long, and is tried again by the SDK. A slow
/// line may take its time. Without it a store that takes connections and never answers would hold a backup for half an hour.
/// </summary>
/// <param name="limit">Silence that is borne; the store's own work on what it has already (to put parts together, to copy) may take six times as long.</param>
internal sealed class StallLimit(TimeSpan limit) : HttpClientFactory
{
    /// <summary>A store that was heard by no request for so many times the limit is given up.</summary>
    public const int Patience = 3;

    public override HttpClient CreateHttpClient(IClientConfig clientConfig)
    {
        var transport = new SocketsHttpHandler
        {
            AllowAutoRedirect = clientConfig.AllowAutoRedirect,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
        };
        if (clientConfig.GetWebProxy() is { } proxy)
        {
            transport.Proxy = proxy;
        }

        return new HttpClient(new StallHandler(transport, limit)) { Timeout = Timeout.InfiniteTimeSpan };
    }
}

/// <summary>Nothing was heard of a store for so long that trying once more is no use. Not for the SDK to retry.</summary>
internal sealed class StoreSilentException(TimeSpan silence)
    : Exception(string.Create(CultureInfo.InvariantCulture, $"nothing was heard of it for {silence.TotalSeconds:0} seconds"));
