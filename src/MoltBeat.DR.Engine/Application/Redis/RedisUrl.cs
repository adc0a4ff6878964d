using System.Globalization;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// Where a Redis server listens and how to log in: <c>redis://[user:password@]host[:port][/database]</c>, or <c>rediss://</c> for
/// TLS, then with <c>?cacert=/absolute/path.pem</c> where an authority of one's own has signed. Shows its password to nobody.
/// </summary>
public sealed class RedisUrl
{
    private const int DefaultPort = 6379;

    private RedisUrl(bool tls, string host, int port)
    {
        Tls = tls;
        Host = host;
        Port = port;
    }

    public bool Tls { get; }

    public string Host { get; }

    public int Port { get; }

    /// <summary>ACL user; null for the default one.</summary>
    public string? User { get; private init; }

    /// <summary>The database's number; null when the URL names none.</summary>
    public int? Database { get; private init; }

    /// <summary>A PEM file with the authorities to trust; null for the machine's.</summary>
    public string? AuthorityFile { get; private init; }

    internal string? Password { get; private init; }

    /// <summary>Takes a URL apart.</summary>
    /// <exception cref="MoltException"><c>RedisUrlInvalid</c>; quotes nothing, as what cannot be understood may be a password.</exception>
    public static RedisUrl Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var tls = text.StartsWith("rediss://", StringComparison.OrdinalIgnoreCase);
        if (!tls && !text.StartsWith("redis://", StringComparison.OrdinalIgnoreCase))
        {
            throw Invalid("it begins with neither redis:// nor rediss://");
        }

        var rest = text[(tls ? "rediss://" : "redis://").Length..];
        var mark = rest.IndexOf('?', StringComparison.Ordinal);
        var query = mark >= 0 ? rest[(mark + 1)..] : "";
        rest = mark >= 0 ? rest[..mark] : rest;
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        var path = slash >= 0 ? rest[(slash + 1)..] : "";
        var authority = slash >= 0 ? rest[..slash] : rest;
        var at = authority.LastIndexOf('@');
        var (user, password) = Login(at >= 0 ? authority[..at] : null);
        var (host, port) = Place(authority[(at + 1)..]);
        var authorityFile = Setting(query);
        if (authorityFile is not null && !tls)
        {
            throw Invalid("cacert goes with rediss:// only");
        }

        return new RedisUrl(tls, host, port) { User = user, Password = password, Database = Number(path), AuthorityFile = authorityFile };
    }

    /// <summary>The same server, without the password.</summary>
    public override string ToString()
    {
        var host = Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host;
        var user = User is null ? "" : Uri.EscapeDataString(User) + "@";
        return string.Create(CultureInfo.InvariantCulture, $"{(Tls ? "rediss" : "redis")}://{user}{host}:{Port}{(Database is { } number ? "/" + number.ToString(CultureInfo.InvariantCulture) : "")}");
    }

    private static (string? User, string? Password) Login(string? text)
    {
        if (text is null)
        {
            return (null, null);
        }

        // Some programs take a lone name for the user, some for the password: nobody should have to guess.
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0 || colon == text.Length - 1)
        {
            throw Invalid("what stands before the @ is not user:password");
        }

        return (colon == 0 ? null : Uri.UnescapeDataString(text[..colon]), Uri.UnescapeDataString(text[(colon + 1)..]));
    }

    private static (string Host, int Port) Place(string text)
    {
        var end = text.StartsWith('[') ? text.IndexOf(']', StringComparison.Ordinal) + 1 : text.IndexOf(':', StringComparison.Ordinal) is var c and >= 0 ? c : text.Length;
        var host = text[..end].Trim('[', ']');
        var port = DefaultPort;
        if (end < text.Length && (text[end] != ':' || !int.TryParse(text.AsSpan(end + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > 65535))
        {
            throw Invalid("its port is no number from 1 to 65535");
        }

        return Uri.CheckHostName(host) is UriHostNameType.Unknown ? throw Invalid("it names no host") : (host, port);
    }

    private static int? Number(string path)
        => path.Length == 0 ? null
            : int.TryParse(path, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
            : throw Invalid("what stands behind the host is no number of a database");

    private static string? Setting(string query)
    {
        if (query.Length == 0)
        {
            return null;
        }

        const string name = "cacert=";
        return query.StartsWith(name, StringComparison.Ordinal) && Uri.UnescapeDataString(query[name.Length..]) is var file && Path.IsPathFullyQualified(file) && !query.Contains('&', StringComparison.Ordinal)
            ? file
            : throw Invalid("the only setting behind its question mark can be cacert with an absolute path");
    }

    private static MoltException Invalid(string why)
        => new("RedisUrlInvalid", ErrorKind.InvalidArgument, $"The URL of the Redis server cannot be read: {why}. Its text is not repeated, as it may hold a password.",
            "Write redis://host:6379/0, redis://user:password@host, or rediss://… for TLS; special characters percent-encoded.");
}
