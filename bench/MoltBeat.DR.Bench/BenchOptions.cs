using System.Globalization;

namespace MoltBeat.DR.Bench;

/// <summary>Wrong use or a missing prerequisite: shown as one line, without a stack trace.</summary>
internal sealed class BenchException(string message) : Exception(message);

internal enum Phase
{
    Backup,
    Restore,

    /// <summary>Copies in S3.</summary>
    S3,

    /// <summary>Encrypting and decrypting on one core; needs no database.</summary>
    Encryption,

    /// <summary>Single rows into the living database.</summary>
    Rows,
}

internal sealed class BenchOptions
{
    public const string Usage =
        """
        Measures MoltBeat.DR against PostgreSQL's own ways of backing up and restoring.

          --scale X          size of the database; 1 (the default) is about 1.25 GB of COPY text
          --rounds N         how often each way is run; the medians count (default 3)
          --jobs N[,N...]    jobs of the parallel ways (default 1,2,4); ratios are for 2, or the first when 2 is not listed
          --only PHASE       backup, restore, s3, rows or encryption
          --out FOLDER       where bench.json goes (default output)
          --markdown FILE    also write the table there; between the bench:begin and bench:end marks when FILE has them
          --molt PATH        the host to measure (default output/molt/molt)
          --work FOLDER      where the cluster and the backups go (default a new folder in /var/tmp, removed at the end)
          --database-url URL use this server (postgresql://user[:password]@host[:port]/database) in place of a throwaway one
          --keep             leave the database, the backups and the throwaway cluster for another run
        """;

    public double Scale { get; private init; } = 1;

    public int Rounds { get; private init; } = 3;

    public IReadOnlyList<int> Jobs { get; private init; } = [1, 2, 4];

    public int HeadlineJobs => Jobs.Contains(2) ? 2 : Jobs[0];

    public Phase? Only { get; private init; }

    public string Out { get; private init; } = "output";

    public string? Markdown { get; private init; }

    public string Molt { get; private init; } = Path.Combine("output", "molt", "molt");

    public string? Work { get; private init; }

    public string? DatabaseUrl { get; private init; }

    public bool Keep { get; private init; }

    public static BenchOptions Parse(string[] args)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        var keep = false;
        for (var i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--keep":
                    keep = true;
                    break;
                case "--scale" or "--rounds" or "--jobs" or "--only" or "--out" or "--markdown" or "--molt" or "--work" or "--database-url":
                    values[args[i]] = i + 1 < args.Length ? args[i + 1] : throw new BenchException($"{args[i]} wants a value.");
                    i++;
                    break;
                default:
                    throw new BenchException($"Unknown option {args[i]}.\n\n{Usage}");
            }
        }

        string? Get(string name) => values.GetValueOrDefault(name);
        return new BenchOptions
        {
            Scale = Number(Get("--scale") ?? "1", "--scale"),
            Rounds = Whole(Get("--rounds") ?? "3", "--rounds"),
            Jobs = [.. (Get("--jobs") ?? "1,2,4").Split(',').Select(n => Whole(n, "--jobs")).Distinct()],
            Only = Get("--only") switch
            {
                null => null,
                "backup" => Phase.Backup,
                "restore" => Phase.Restore,
                "s3" => Phase.S3,
                "encryption" => Phase.Encryption,
                "rows" => Phase.Rows,
                var other => throw new BenchException($"--only is backup, restore, s3, rows or encryption, not '{other}'."),
            },
            Out = Path.GetFullPath(Get("--out") ?? "output"),
            Markdown = Get("--markdown") is { } markdown ? Path.GetFullPath(markdown) : null,
            Molt = Path.GetFullPath(Get("--molt") ?? Path.Combine("output", "molt", "molt")),
            Work = Get("--work") is { } work ? Path.GetFullPath(work) : null,
            DatabaseUrl = Get("--database-url"),
            Keep = keep,
        };
    }

    private static double Number(string text, string option) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 1000
            ? number
            : throw new BenchException($"{option} wants a number above 0, not '{text}'.");

    private static int Whole(string text, string option) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 1000
            ? number
            : throw new BenchException($"{option} wants a whole number above 0, not '{text}'.");
}
