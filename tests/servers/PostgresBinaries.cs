namespace MoltBeat.TestServers;

/// <summary>An installed PostgreSQL server.</summary>
/// <param name="BinFolder">The folder of <c>initdb</c> and <c>postgres</c>.</param>
/// <param name="ShareFolder">The folder of <c>postgres.bki</c> and <c>extension/</c>.</param>
public sealed record PostgresBinaries(string BinFolder, string ShareFolder)
{
    /// <summary>Debian's folders of programs, newest version first.</summary>
    internal static IEnumerable<string> DebianFolders =>
        Directory.Exists("/usr/lib/postgresql")
            ? Directory.EnumerateDirectories("/usr/lib/postgresql")
                .OrderByDescending(f => int.TryParse(Path.GetFileName(f), out var major) ? major : 0)
                .Select(f => Path.Combine(f, "bin"))
            : [];

    /// <summary>The server of this machine: Debian's newest, or the one on the PATH.</summary>
    /// <exception cref="TestServerMissingException">There is none.</exception>
    public static PostgresBinaries Find()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        var bin = DebianFolders.Concat(path).FirstOrDefault(f => File.Exists(Path.Combine(f, "initdb")) && File.Exists(Path.Combine(f, "postgres")))
            ?? throw new TestServerMissingException("No PostgreSQL server is installed (Debian: apt-get install postgresql postgresql-contrib).");
        return In(bin);
    }

    /// <summary>The server whose programs are in a folder.</summary>
    public static PostgresBinaries In(string binFolder)
    {
        // PATH may hold a link to the real folder, from which the others are found.
        var postgres = new FileInfo(Path.Combine(binFolder, "postgres"));
        var bin = Path.GetDirectoryName(postgres.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? postgres.FullName)!;
        var root = Path.GetDirectoryName(bin)!;
        string[] candidates =
        [
            Path.Combine(root, "share/postgresql"), Path.Combine(root, "share"), Path.Combine(root, "share/pgsql"),
            $"/usr/share/postgresql/{Path.GetFileName(root)}",
        ];
        var share = candidates.FirstOrDefault(f => File.Exists(Path.Combine(f, "postgres.bki")))
            ?? throw new TestServerMissingException($"The PostgreSQL server in {binFolder} has no share folder.");
        return new PostgresBinaries(bin, share);
    }

    /// <summary>
    /// Makes a copy of this server in <paramref name="folder"/> that offers one more extension, and returns the path of its <c>postgres</c>.
    /// </summary>
    /// <remarks>
    /// PostgreSQL finds its files relative to where its program really is, so a copied program among links is a server
    /// of its own, whose extension folder we may write to. (18 has extension_control_path; 15 has no other way.)
    /// </remarks>
    internal string CopyWithExtension(string folder, string extensionFolder)
    {
        var common = CommonFolder(BinFolder, ShareFolder);
        var bin = Path.Combine(folder, Path.GetRelativePath(common, BinFolder));
        var share = Path.Combine(folder, Path.GetRelativePath(common, ShareFolder));

        Directory.CreateDirectory(bin);
        File.Copy(Path.Combine(BinFolder, "postgres"), Path.Combine(bin, "postgres"));
        Directory.CreateDirectory(share);
        LinkEntries(ShareFolder, share, except: "extension");
        var extensions = Directory.CreateDirectory(Path.Combine(share, "extension")).FullName;
        LinkEntries(Path.Combine(ShareFolder, "extension"), extensions, except: null);
        foreach (var file in Directory.EnumerateFiles(extensionFolder))
            File.Copy(file, Path.Combine(extensions, Path.GetFileName(file)));

        // The libraries: in Debian beside bin, elsewhere also as ../lib of the program. What exists by now is the share folder.
        LinkEntries(Path.GetDirectoryName(BinFolder)!, Path.GetDirectoryName(bin)!, except: Path.GetFileName(BinFolder));
        return Path.Combine(bin, "postgres");
    }

    private static void LinkEntries(string source, string target, string? except)
    {
        foreach (var entry in Directory.EnumerateFileSystemEntries(source))
        {
            var name = Path.GetFileName(entry);
            var link = Path.Combine(target, name);
            if (name != except && !Path.Exists(link))
                File.CreateSymbolicLink(link, entry);
        }
    }

    private static string CommonFolder(string one, string other)
    {
        while (!(other + "/").StartsWith(one.TrimEnd('/') + "/", StringComparison.Ordinal))
            one = Path.GetDirectoryName(one)!;
        return one;
    }
}
