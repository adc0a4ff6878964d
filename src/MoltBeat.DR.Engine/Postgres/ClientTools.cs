using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>PostgreSQL's client programs, all of one version and from one folder.</summary>
/// <param name="Folder">Where they are.</param>
/// <param name="Version">As they say it, for example <c>15.18</c>.</param>
/// <param name="Major">The version's first number.</param>
public sealed partial record ClientTools(string Folder, string Version, int Major)
{
    private static readonly ConcurrentDictionary<(string Path, DateTime Written), string?> s_versions = new();
    private static readonly string[] s_names = ["pg_dump", "pg_dumpall", "pg_restore", "psql"];

    public string PgDump => PathOf(Folder, "pg_dump");

    public string PgDumpAll => PathOf(Folder, "pg_dumpall");

    public string PgRestore => PathOf(Folder, "pg_restore");

    public string Psql => PathOf(Folder, "psql");

    /// <summary>Finds the programs for a server: those of its own major version, or else of the next one up that is there.</summary>
    /// <param name="serverMajor">The server's major version; <c>pg_dump</c> refuses servers newer than itself.</param>
    /// <param name="folder">The only folder to look in; null for PATH and the usual ones.</param>
    /// <exception cref="MoltException"><c>ClientToolsMissing</c>, <c>ClientToolsTooOld</c></exception>
    public static ClientTools Find(int serverMajor, string? folder = null)
    {
        IReadOnlyList<string> folders = folder is null ? UsualFolders() : [Path.GetFullPath(folder)];
        ClientTools? best = null;
        ClientTools? newest = null;
        foreach (string candidate in folders)
        {
            if (Look(candidate) is not { } found)
                continue;
            if (newest is null || found.Major > newest.Major)
                newest = found;
            if (found.Major >= serverMajor && (best is null || found.Major < best.Major))
                best = found;
        }
        if (best is not null)
            return best;

        string install = $"Install PostgreSQL's client programs of version {serverMajor} or newer (Debian: apt-get install postgresql-client-{serverMajor}), or name their folder.";
        if (newest is not null)
            throw new MoltException("ClientToolsTooOld", ErrorKind.NotInstalled,
                $"PostgreSQL's client programs in {newest.Folder} are of version {newest.Version}, older than the server's {serverMajor}.", install, newest.Folder);
        throw new MoltException("ClientToolsMissing", ErrorKind.NotInstalled,
            $"PostgreSQL's client programs {string.Join(", ", s_names)} are not all in one of: {string.Join(", ", folders)}.", install);
    }

    private static List<string> UsualFolders()
    {
        List<string> folders = [];
        // A relative entry would mean another folder, and another's program, wherever one happens to be.
        folders.AddRange((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Where(Path.IsPathRooted));
        if (OperatingSystem.IsWindows())
        {
            AddBelow(folders, Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL"), "*");
        }
        else
        {
            AddBelow(folders, "/usr/lib/postgresql", "*");
            AddBelow(folders, "/usr", "pgsql-*");
            AddBelow(folders, "/usr/local", "pgsql");
            AddBelow(folders, "/opt/homebrew/opt", "postgresql*");
            AddBelow(folders, "/opt/homebrew/opt", "libpq");
            AddBelow(folders, "/usr/local/opt", "postgresql*");
            AddBelow(folders, "/usr/local/opt", "libpq");
        }
        return [.. folders.Distinct(StringComparer.Ordinal)];
    }

    private static void AddBelow(List<string> folders, string parent, string pattern)
    {
        if (Directory.Exists(parent))
            folders.AddRange(Directory.EnumerateDirectories(parent, pattern).Order(StringComparer.Ordinal).Select(folder => Path.Combine(folder, "bin")));
    }

    private static ClientTools? Look(string folder)
    {
        foreach (string name in s_names)
        {
            FileInfo file = new(PathOf(folder, name));
            // Debian's wrapper in /usr/bin picks a version by its own rules; the real programs are in a usual folder.
            if (!file.Exists || (file.LinkTarget is { } target && Path.GetFileName(target) == "pg_wrapper"))
                return null;
        }
        string pgDump = PathOf(folder, "pg_dump");
        string? version = s_versions.GetOrAdd((pgDump, File.GetLastWriteTimeUtc(pgDump)), key => AskVersion(key.Path));
        return version is null ? null : new(folder, version, int.Parse(LeadingNumber().Match(version).Value, CultureInfo.InvariantCulture));
    }

    /// <summary>The version a program tells, or null when it can't be run or tells none: then it is no use either.</summary>
    private static string? AskVersion(string path)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(path, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
            Task<string> said = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromSeconds(10)))
            {
                process.Kill(entireProcessTree: true);
                return null;
            }
            Match match = SaidVersion().Match(said.Result);
            return match.Success ? match.Groups[1].Value : null;
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            return null;
        }
    }

    private static string PathOf(string folder, string name) => Path.Combine(folder, OperatingSystem.IsWindows() ? name + ".exe" : name);

    [GeneratedRegex(@"\(PostgreSQL\) (\d+[\w.]*)")]
    private static partial Regex SaidVersion();

    [GeneratedRegex(@"^\d+")]
    private static partial Regex LeadingNumber();
}
