using System.IO.Enumeration;

namespace MoltBeat.DR.Engine.Application;

/// <summary>
/// What of a folder is left out, by globs as in a .gitignore: of all that match the last one decides, and <c>!</c> before one takes back.
/// One without a slash is a name at any depth; one with a slash is a path from the folder on; with a slash at its end it is for folders only;
/// <c>*</c> and <c>?</c> stay within a name, <c>**</c> is any number of folders. Of a folder that is left out nothing below is looked at.
/// </summary>
public sealed class FolderFilter
{
    /// <summary>
    /// What can be made again: logs, temporary files, what package managers and builds bring. No name that is as likely data (<c>bin</c>,
    /// <c>data</c>, <c>.git</c>).
    /// </summary>
    public static readonly IReadOnlyList<string> Defaults =
    [
        "*.log", "*.log.*", "logs/",
        "*.tmp", "*.temp", "*.swp", "*~", "tmp/", "temp/", ".cache/", "*.pid", "lost+found/",
        "node_modules/", "__pycache__/", ".venv/", "dist/", "build/", "target/", "obj/", ".next/", ".nuxt/", ".gradle/", "coverage/",
    ];

    private readonly List<Glob> globs;

    /// <param name="exclude">Besides <see cref="Defaults"/>, and after them.</param>
    public FolderFilter(IEnumerable<string> exclude) => globs = [.. Defaults.Concat(exclude).Select(Glob.Parse)];

    /// <param name="path">From the folder on, with <c>/</c>.</param>
    /// <param name="folder">Whether it is a folder.</param>
    public bool LeavesOut(string path, bool folder)
    {
        ArgumentNullException.ThrowIfNull(path);
        var segments = path.Split('/');
        return globs.FindLast(g => g.Matches(segments, folder)) is { TakesBack: false };
    }

    private sealed record Glob(string[] Segments, bool Anchored, bool FoldersOnly, bool TakesBack)
    {
        public static Glob Parse(string text)
        {
            var takesBack = text.StartsWith('!');
            var glob = takesBack ? text[1..] : text;
            var foldersOnly = glob.EndsWith('/');
            var anchored = glob.TrimEnd('/').Contains('/', StringComparison.Ordinal);
            return new Glob(glob.Split('/', StringSplitOptions.RemoveEmptyEntries), anchored, foldersOnly, takesBack);
        }

        public bool Matches(string[] path, bool folder)
            => (folder || !FoldersOnly) && Segments.Length > 0 && (Anchored ? Matches(path, 0, 0) : FileSystemName.MatchesSimpleExpression(Segments[0], path[^1], ignoreCase: false));

        private bool Matches(string[] path, int at, int segment)
        {
            if (segment == Segments.Length)
            {
                return at == path.Length;
            }

            if (Segments[segment] != "**")
            {
                return at < path.Length && FileSystemName.MatchesSimpleExpression(Segments[segment], path[at], ignoreCase: false) && Matches(path, at + 1, segment + 1);
            }

            if (segment == Segments.Length - 1)
            {
                return at < path.Length;
            }

            for (var next = at; next <= path.Length; next++)
            {
                if (Matches(path, next, segment + 1))
                {
                    return true;
                }
            }

            return false;
        }
    }
}
