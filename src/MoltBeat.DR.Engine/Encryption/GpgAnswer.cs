namespace MoltBeat.DR.Engine.Encryption;

/// <summary>What gpg did.</summary>
/// <param name="ExitCode">0 when all went well.</param>
/// <param name="Output">What it wrote to its standard output.</param>
/// <param name="Status">Its lines for programs, without their mark.</param>
/// <param name="Messages">Its lines for people, in English; no secrets.</param>
internal sealed record GpgAnswer(int ExitCode, byte[] Output, IReadOnlyList<string> Status, IReadOnlyList<string> Messages)
{
    // libgpg-error's numbers; the upper bits say who reports it.
    private const int BadPassphrase = 11;
    private const int NoPinentry = 85;
    private const int NoPassphraseAsked = 177;
    private const int Cancelled = 99;
    private const int NoTerminal = 32870;

    /// <summary>The rest of the first status line of this keyword, or null.</summary>
    public string? Find(string keyword)
        => Status.FirstOrDefault(s => s.StartsWith(keyword, StringComparison.Ordinal) && (s.Length == keyword.Length || s[keyword.Length] == ' '))?[keyword.Length..].Trim();

    public bool SaysPassphraseWrong => Find("BAD_PASSPHRASE") is not null || ErrorCodes.Any(c => (c & 0xFFFF) == BadPassphrase);

    public bool SaysNobodyToAsk => ErrorCodes.Any(c => (c & 0xFFFF) is NoPinentry or NoPassphraseAsked or Cancelled or NoTerminal) || Find("MISSING_PASSPHRASE") is not null;

    public MoltException Failed(string what)
        => new("GpgFailed", ErrorKind.Failed, $"gpg could not {what} (exit code {ExitCode}):\n{string.Join('\n', Messages.TakeLast(20))}",
            "What gpg says above is the reason.", "gpg");

    private IEnumerable<uint> ErrorCodes
        => from line in Status
           where line.StartsWith("ERROR ", StringComparison.Ordinal) || line.StartsWith("FAILURE ", StringComparison.Ordinal)
           let words = line.Split(' ')
           where words.Length > 2 && uint.TryParse(words[2], System.Globalization.CultureInfo.InvariantCulture, out _)
           select uint.Parse(words[2], System.Globalization.CultureInfo.InvariantCulture);
}
