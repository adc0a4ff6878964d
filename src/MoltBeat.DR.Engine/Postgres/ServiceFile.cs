namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Reads a service out of a pg_service.conf (<see href="https://www.postgresql.org/docs/current/libpq-pgservice.html"/>).</summary>
internal static class ServiceFile
{
    /// <summary>The keywords and values of a service. A file <c>named</c> by servicefile or PGSERVICEFILE stands for the user's own.</summary>
    /// <exception cref="MoltException"><c>ServiceNotFound</c>, <c>ServiceFileInvalid</c></exception>
    public static IReadOnlyDictionary<string, string> Read(string service, string? named, ClientSurroundings surroundings)
    {
        List<string> files = [string.IsNullOrEmpty(named) ? surroundings.ServiceFile : named, .. surroundings.SystemServiceFiles];
        foreach (string file in files)
        {
            if (File.Exists(file) && ReadFile(file, service) is { } values)
                return values;
        }
        throw new MoltException("ServiceNotFound", ErrorKind.NotFound, $"The connection service \"{service}\" is in none of {string.Join(", ", files)}.",
            "Add the service to one of the files, or correct its name in service= or PGSERVICE.", service);
    }

    private static Dictionary<string, string>? ReadFile(string file, string service)
    {
        Dictionary<string, string>? values = null;
        int number = 0;
        IEnumerable<string> lines;
        try
        {
            lines = File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Invalid(file, $"can't be read: {e.Message}");
        }
        foreach (string raw in lines)
        {
            number++;
            string line = raw.Trim();
            if (line.Length == 0 || line[0] == '#')
                continue;
            if (line[0] == '[')
            {
                if (values is not null)
                    return values;
                if (line == $"[{service}]")
                    values = new(StringComparer.Ordinal);
                continue;
            }
            if (values is null)
                continue;

            // Errors name the line, never its text.
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
                throw Invalid(file, $"line {number} has no \"=\".");
            string keyword = line[..equals];
            if (keyword is "service" or "servicefile")
                throw Invalid(file, $"line {number} names a service within a service.");
            if (!ConnectionKeywords.All.ContainsKey(keyword))
                throw Invalid(file, $"line {number} has a keyword that PostgreSQL doesn't know.");
            // As in libpq, the first of two wins.
            values.TryAdd(keyword, line[(equals + 1)..]);
        }
        return values;
    }

    private static MoltException Invalid(string file, string what) =>
        new("ServiceFileInvalid", ErrorKind.InvalidData, $"The service file {file} {(what.StartsWith("can't", StringComparison.Ordinal) ? what : "can't be used: " + what)}",
            "Correct the file.", file);
}
