using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Where a server listens.</summary>
/// <param name="Host">A name, an address, or the folder of a unix socket (an absolute path, or <c>@name</c> for an abstract one).</param>
/// <param name="Port">The TCP port, and part of a unix socket's name.</param>
/// <param name="Address">The numeric address to connect to in place of looking <paramref name="Host"/> up; libpq's hostaddr.</param>
public sealed record ServerAddress(string Host, int Port, string? Address = null)
{
    public bool IsUnixSocket => Address is null && Host.Length > 0 && (Host[0] == '@' || Path.IsPathRooted(Host));

    /// <summary>The name in messages: <c>host:port</c>, IPv6 in brackets.</summary>
    public override string ToString()
    {
        string port = Port.ToString(CultureInfo.InvariantCulture);
        if (IsUnixSocket)
            return $"{Host}/.s.PGSQL.{port}";
        string name = Host.Length > 0 ? Host : Address ?? "";
        string shown = name.Contains(':', StringComparison.Ordinal) ? $"[{name}]:{port}" : $"{name}:{port}";
        return Address is null || Address == name ? shown : $"{shown} ({Address})";
    }

    /// <summary>The place in a URI.</summary>
    internal string InUri()
    {
        string name = Host.Length > 0 ? Host : Address ?? "";
        bool ipv6 = IPAddress.TryParse(name, out IPAddress? address) && address.AddressFamily == AddressFamily.InterNetworkV6;
        return string.Create(CultureInfo.InvariantCulture, $"{(ipv6 ? $"[{name}]" : Uri.EscapeDataString(name))}:{Port}");
    }
}
