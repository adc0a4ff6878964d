using System.Net;
using System.Net.Sockets;

namespace MoltBeat.TestServers;

/// <summary>Ports to try. Another process can always take one before the server does: who starts a server tries again.</summary>
internal static class FreePort
{
    /// <summary>How often a server is started anew when its port was taken.</summary>
    internal const int Attempts = 5;

    /// <summary>A port below the range from which systems serve outgoing connections, so that none of them takes it while a server restarts.</summary>
    internal static int Next()
    {
        while (true)
        {
            var port = Random.Shared.Next(20_000, 32_000);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: try another.
            }
        }
    }
}
