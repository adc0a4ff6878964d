namespace MoltBeat.TestServers;

/// <summary>Who runs the servers: ourselves, or <c>postgres</c> when we are root, since PostgreSQL and pgbouncer refuse to be run by root.</summary>
internal static class ServiceUser
{
    private const string Name = "postgres";

    private static readonly bool s_needed = Environment.IsPrivilegedProcess && !OperatingSystem.IsWindows();

    /// <summary>The command line that runs <paramref name="command"/> as the service user.</summary>
    internal static string[] Command(params string[] command) => s_needed
        ? ["setpriv", "--reuid", Name, "--regid", Name, "--init-groups", "--", .. command]
        : command;

    /// <summary>Gives a file or a folder, with all that is in it, to the service user.</summary>
    internal static async Task GiveAsync(string path, CancellationToken cancel)
    {
        if (s_needed)
            await Tool.RunAsync("chown", ["-R", "-h", $"{Name}:", path], cancel: cancel).ConfigureAwait(false);
    }
}
