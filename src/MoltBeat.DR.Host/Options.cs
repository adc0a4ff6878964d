namespace MoltBeat.DR.Host;

internal enum RunMode
{
    Command,
    File,
    Help,
    Version,
}

/// <summary>What the command line asks for; the switches are pwsh's own, so that either host can run the same line.</summary>
/// <param name="Mode">What to do.</param>
/// <param name="Text">The command, or the path of the script; <c>-</c> for standard input.</param>
/// <param name="Arguments">What follows the script's path.</param>
/// <param name="NonInteractive">Never ask: a question is an error.</param>
internal sealed record Options(RunMode Mode, string Text, IReadOnlyList<string> Arguments, bool NonInteractive)
{
    public const string Usage = """
        Usage: molt [-NoProfile] [-NonInteractive] -Command <text>   run a command; - reads it from standard input
               molt [-NoProfile] [-NonInteractive] -File <script> [arguments]
               molt -Version | -Help
        Exit code: 0, or 1 when the last command failed, or the number given to exit; 130 after Ctrl+C.
        """;

    /// <exception cref="FormatException">The arguments make no sense; the message says why.</exception>
    public static Options Parse(IReadOnlyList<string> args)
    {
        var nonInteractive = false;
        for (var i = 0; i < args.Count; i++)
        {
            var rest = args.Skip(i + 1).ToList();
            switch (args[i].ToLowerInvariant())
            {
                case "-noprofile" or "-nop" or "-nologo":
                    break;
                case "-noninteractive" or "-noni":
                    nonInteractive = true;
                    break;
                case "-command" or "-c":
                    return rest.Count > 0
                        ? new(RunMode.Command, string.Join(' ', rest), [], nonInteractive)
                        : throw new FormatException("-Command wants the command's text.");
                case "-file" or "-f":
                    return rest.Count > 0
                        ? new(RunMode.File, rest[0], rest[1..], nonInteractive)
                        : throw new FormatException("-File wants the path of a script.");
                case "-version" or "-v" or "--version":
                    return new(RunMode.Version, "", [], nonInteractive);
                case "-help" or "-h" or "-?" or "--help":
                    return new(RunMode.Help, "", [], nonInteractive);
                case var other when !other.StartsWith('-'):
                    return new(RunMode.File, args[i], rest, nonInteractive);
                default:
                    throw new FormatException($"molt does not know {args[i]}.");
            }
        }

        throw new FormatException("molt wants -Command or -File: it has no prompt of its own.");
    }
}
