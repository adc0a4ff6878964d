using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>Asks the application's own address whether it works.</summary>
internal static class ApplicationHealth
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_attempt = TimeSpan.FromSeconds(10);

    // An old connection would be that of the application of before.
    private static readonly HttpClient s_client = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero, UseCookies = false }) { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>Waits until it answers with 200 to 299.</summary>
    /// <returns>What it answered, for people.</returns>
    /// <exception cref="MoltException"><c>ApplicationNotHealthy</c>.</exception>
    public static async Task<string> WaitAsync(PlannedHealth health, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var said = await AskAsync(health, cancellationToken).ConfigureAwait(false);
            if (said.IsWell)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{health.Url} answered {said.Text} after {clock.Elapsed.TotalSeconds:0.0} s");
            }

            if (clock.Elapsed + s_pause > health.Timeout)
            {
                throw new MoltException("ApplicationNotHealthy", ErrorKind.Timeout, string.Create(CultureInfo.InvariantCulture, $"The application does not say that it works, for {health.Timeout.TotalSeconds:0.#} s now: {health.Url} answers {said.Text}."),
                    "The database is restored. Look at the application's own log; then go on with -Resume.", health.Url);
            }

            await Task.Delay(s_pause, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<(bool IsWell, string Text)> AskAsync(PlannedHealth health, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_attempt < health.Timeout ? s_attempt : health.Timeout);
        try
        {
            using var response = await s_client.GetAsync(new Uri(health.Url), HttpCompletionOption.ResponseHeadersRead, limit.Token).ConfigureAwait(false);
            return (response.IsSuccessStatusCode, ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return (false, "nothing");
        }
    }
}
