namespace MoltBeat.TestServers;

/// <summary>The files that this library brings: SQL, scripts and the test extension.</summary>
internal static class TestFiles
{
    internal static string Path(string name) => System.IO.Path.Combine(AppContext.BaseDirectory, "test-servers", name);
}
