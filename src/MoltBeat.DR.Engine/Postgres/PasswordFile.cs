namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Looks passwords up in a pgpass file (<see href="https://www.postgresql.org/docs/current/libpq-pgpass.html"/>).</summary>
internal static class PasswordFile
{
    /// <summary>Why libpq would not read the file, as a sentence; null when it would, or when there is none.</summary>
    public static string? ReasonToIgnore(string file)
    {
        if (!File.Exists(file) || OperatingSystem.IsWindows())
            return null;
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        return (File.GetUnixFileMode(file) & others) == 0
            ? null
            : $"The password file {file} is ignored: others than its owner may open it. Run: chmod 0600 {file}";
    }

    /// <summary>The password of the first line that fits, or null.</summary>
    public static string? Find(string file, string host, int port, string database, string user)
    {
        if (!File.Exists(file) || ReasonToIgnore(file) is not null)
            return null;

        string[] lines;
        try
        {
            lines = File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // libpq goes on without; the server then says that a password is missing.
            return null;
        }
        foreach (string line in lines)
        {
            if (line.Length == 0 || line[0] == '#')
                continue;
            int at = 0;
            if (Fits(line, ref at, NameFor(host))
                && Fits(line, ref at, port.ToString(System.Globalization.CultureInfo.InvariantCulture))
                && Fits(line, ref at, database)
                && Fits(line, ref at, user))
            {
                return Field(line, ref at, last: true);
            }
        }
        return null;
    }

    /// <summary>A unix socket in its default folder goes by the name localhost; one elsewhere by its folder.</summary>
    private static string NameFor(string host) =>
        host is ClientSurroundings.DebianSocketFolder or ClientSurroundings.UpstreamSocketFolder ? "localhost" : host;

    private static bool Fits(string line, ref int at, string wanted)
    {
        if (at + 1 < line.Length && line[at] == '*' && line[at + 1] == ':')
        {
            at += 2;
            return true;
        }
        return at < line.Length && Field(line, ref at, last: false) == wanted;
    }

    /// <summary>One field, to the next bare colon, with its backslashes undone.</summary>
    private static string Field(string line, ref int at, bool last)
    {
        System.Text.StringBuilder field = new();
        for (; at < line.Length; at++)
        {
            char c = line[at];
            if (c == ':')
            {
                at++;
                return field.ToString();
            }
            if (c == '\\' && at + 1 < line.Length)
                c = line[++at];
            field.Append(c);
        }
        // A line that ends too early has no password behind it, and so fits nothing.
        return last ? field.ToString() : "\0";
    }
}
