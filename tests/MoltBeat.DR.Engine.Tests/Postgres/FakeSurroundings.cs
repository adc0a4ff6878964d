using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Tests.Postgres;

/// <summary>A home folder and an environment of the test's own.</summary>
public sealed class FakeSurroundings : IDisposable
{
    private readonly Dictionary<string, string> _variables = new(StringComparer.Ordinal);

    public string Home { get; } = Directory.CreateTempSubdirectory("molt-home-").FullName;

    public string? this[string variable]
    {
        set => _variables[variable] = value!;
    }

    /// <summary>Writes a file into the home folder, 0600, and gives back its path.</summary>
    public string Write(string name, string text)
    {
        string path = Path.Combine(Home, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    internal ConnectionSettings Parse(string? conninfo, string? user = null, string? password = null) =>
        ConnectionSettings.Parse(conninfo, user, password, new ClientSurroundings(name => _variables.GetValueOrDefault(name), Home, "osuser", Windows: false));

    public void Dispose() => Directory.Delete(Home, recursive: true);
}
