using System.Text;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Takes a libpq connection string apart, in either of its forms. No error quotes any part of the string but the name of
/// a keyword: the rest may be a password, even where a password isn't expected.
/// </summary>
internal static class ConnectionStringReader
{
    private static readonly string[] s_schemes = ["postgresql://", "postgres://"];

    /// <summary>The keywords and values of the string; empty values included, as libpq takes them for given.</summary>
    /// <exception cref="MoltException"><c>ConnectionStringInvalid</c></exception>
    public static Dictionary<string, string> Read(string text)
    {
        string? scheme = s_schemes.FirstOrDefault(scheme => text.StartsWith(scheme, StringComparison.Ordinal));
        return scheme is null ? ReadKeywords(text) : ReadUri(text[scheme.Length..]);
    }

    internal static MoltException Invalid(string what, string? remedy = null) =>
        new("ConnectionStringInvalid", ErrorKind.InvalidArgument, $"The connection string can't be used: {what}",
            remedy ?? "Write it as postgresql://user:password@host:port/database?sslmode=… or as host=… dbname=… user=….");

    private static Dictionary<string, string> ReadKeywords(string text)
    {
        int equalsAt = text.IndexOf('=', StringComparison.Ordinal);
        if ((equalsAt < 0 ? text : text[..equalsAt]).Contains("://", StringComparison.Ordinal))
            throw Invalid("a URI has to begin with postgresql:// or postgres://.");

        Dictionary<string, string> values = new(StringComparer.Ordinal);
        int at = 0;
        while (true)
        {
            at = SkipSpace(text, at);
            if (at == text.Length)
                return values;

            int start = at;
            while (at < text.Length && text[at] != '=' && !IsSpace(text[at]))
                at++;
            string keyword = text[start..at];
            at = SkipSpace(text, at);
            if (at == text.Length || text[at] != '=')
                throw Invalid("a keyword isn't followed by \"=\".", "A value with a space or a quote in it must be quoted: password='it\\'s me'.");
            at = SkipSpace(text, at + 1);
            Store(values, keyword, ReadValue(text, ref at), behindPassword: values.ContainsKey("password"));
        }
    }

    private static string ReadValue(string text, ref int at)
    {
        StringBuilder value = new();
        bool quoted = at < text.Length && text[at] == '\'';
        if (quoted)
            at++;
        for (; at < text.Length; at++)
        {
            char c = text[at];
            if (quoted ? c == '\'' : IsSpace(c))
            {
                at++;
                return value.ToString();
            }
            if (c == '\\' && ++at == text.Length)
                break;
            value.Append(text[at]);
        }
        return quoted ? throw Invalid("a quoted value has no closing quote.") : value.ToString();
    }

    private static Dictionary<string, string> ReadUri(string text)
    {
        Dictionary<string, string> values = new(StringComparer.Ordinal);
        int at = text.IndexOfAny(['@', '/']);
        if (at >= 0 && text[at] == '@')
        {
            string userInfo = text[..at];
            int colon = userInfo.IndexOf(':', StringComparison.Ordinal);
            string user = colon < 0 ? userInfo : userInfo[..colon];
            if (user.Length > 0)
                values["user"] = Decode(user);
            if (colon >= 0 && colon + 1 < userInfo.Length)
                values["password"] = Decode(userInfo[(colon + 1)..]);
            text = text[(at + 1)..];
        }

        int query = text.IndexOf('?', StringComparison.Ordinal);
        string place = query < 0 ? text : text[..query];
        // libpq would take what follows for a host or a database. It is the rest of a password, and would be printed.
        if (place.Contains('@', StringComparison.Ordinal))
            throw Invalid("it has an unencoded \"@\" too many.", "Percent-encode special characters in the user, password and database: @ is %40, / is %2F, : is %3A, % is %25.");

        int slash = place.IndexOf('/', StringComparison.Ordinal);
        if (slash >= 0 && slash + 1 < place.Length)
            values["dbname"] = Decode(place[(slash + 1)..]);
        ReadHosts(values, slash < 0 ? place : place[..slash]);

        if (query >= 0 && query + 1 < text.Length)
        {
            bool behindPassword = false;
            foreach (string pair in text[(query + 1)..].Split('&'))
            {
                int equals = pair.IndexOf('=', StringComparison.Ordinal);
                if (equals < 0 || pair.IndexOf('=', equals + 1) >= 0)
                    throw Invalid("a parameter behind \"?\" isn't of the form keyword=value.", "Percent-encode special characters in values: = is %3D, & is %26.");
                string keyword = Decode(pair[..equals]);
                string value = Decode(pair[(equals + 1)..]);
                // A spelling of JDBC's that libpq accepts too.
                if (keyword == "ssl" && value == "true")
                    (keyword, value) = ("sslmode", "require");
                Store(values, keyword, value, behindPassword);
                behindPassword |= keyword == "password";
            }
        }
        return values;
    }

    private static void ReadHosts(Dictionary<string, string> values, string text)
    {
        List<string> hosts = [];
        List<string> ports = [];
        foreach (string entry in text.Split(','))
        {
            string host = entry;
            string port = "";
            int portAt;
            if (entry.StartsWith('['))
            {
                int close = entry.IndexOf(']', StringComparison.Ordinal);
                if (close < 2 || (close + 1 < entry.Length && entry[close + 1] != ':'))
                    throw Invalid("an IPv6 address in brackets isn't complete.");
                host = entry[1..close];
                portAt = close + 1 < entry.Length ? close + 1 : -1;
            }
            else
            {
                portAt = entry.IndexOf(':', StringComparison.Ordinal);
                host = portAt < 0 ? entry : entry[..portAt];
            }
            if (portAt >= 0)
                port = entry[(portAt + 1)..];
            hosts.Add(Decode(host));
            ports.Add(Decode(port));
        }
        if (hosts.Exists(host => host.Length > 0))
            values["host"] = string.Join(',', hosts);
        if (ports.Exists(port => port.Length > 0))
            values["port"] = string.Join(',', ports);
    }

    private static void Store(Dictionary<string, string> values, string keyword, string value, bool behindPassword)
    {
        if (!ConnectionKeywords.All.ContainsKey(keyword))
        {
            // What looks like a keyword behind a password may be the rest of that password, badly quoted.
            bool sayIt = !behindPassword && keyword.Length is > 0 and <= 40 && keyword.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
            throw Invalid(sayIt ? $"\"{keyword}\" is no connection keyword of PostgreSQL's." : "it holds a keyword that PostgreSQL doesn't know.",
                sayIt ? "Remove it, or correct its name; keywords are in lower case, with spaces between them or & in a URI." : "Quote a password that holds spaces (password='…'), or percent-encode it in a URI.");
        }
        if (value.Contains('\0', StringComparison.Ordinal))
            throw Invalid($"the value of {keyword} holds a zero byte.");
        values[keyword] = value;
    }

    private static string Decode(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal))
            return text;

        List<byte> bytes = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '%')
            {
                int length = char.IsHighSurrogate(text[i]) && i + 1 < text.Length ? 2 : 1;
                bytes.AddRange(Encoding.UTF8.GetBytes(text, i, length));
                i += length - 1;
                continue;
            }
            if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                throw Invalid("a \"%\" isn't followed by two hexadecimal digits.", "A percent sign itself is written %25.");
            byte value = Convert.ToByte(text.Substring(i + 1, 2), 16);
            if (value == 0)
                throw Invalid("it holds a zero byte (%00).");
            bytes.Add(value);
            i += 2;
        }
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString([.. bytes]);
        }
        catch (DecoderFallbackException)
        {
            // Not chained: the exception's text holds the bytes.
            throw Invalid("percent-encoded bytes aren't UTF-8.");
        }
    }

    private static int SkipSpace(string text, int at)
    {
        while (at < text.Length && IsSpace(text[at]))
            at++;
        return at;
    }

    /// <summary>What C's <c>isspace</c> takes for space.</summary>
    private static bool IsSpace(char c) => c is ' ' or (>= '\t' and <= '\r');
}
