using System.Text;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>
/// Fetches the secrets that a plan refers to, when they are needed and not before. What it returns must not be written
/// anywhere; its errors and warnings name the reference only.
/// </summary>
/// <param name="vault">
/// The secret of that name in a vault, or null where there is none; called on the caller's thread. Null where no vault can
/// be asked.
/// </param>
/// <param name="warn">Gets a sentence when a secret lies open to others.</param>
public sealed class SecretResolver(Func<string, string?>? vault = null, Action<string>? warn = null)
{
    private const int LongestFile = 1 << 16;

    private const UnixFileMode OpenToOthers = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Stands in for the process's environment in tests.</summary>
    internal Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>The secret that a plan's text refers to, or the text itself when it is no reference.</summary>
    /// <exception cref="MoltException"><c>SecretUnavailable</c>.</exception>
    public string Resolve(string text) => SecretReference.From(text) is { } reference ? Resolve(reference) : text;

    /// <exception cref="MoltException"><c>SecretUnavailable</c>.</exception>
    public string Resolve(SecretReference reference)
    {
        ArgumentNullException.ThrowIfNull(reference);
        if (reference.Flaw is { } flaw)
        {
            throw Unavailable(reference, $"it {flaw}", "Write env:NAME, file:/absolute/path or secret:NAME.");
        }

        return reference.Place switch
        {
            SecretPlace.Variable => Variable(reference.Name) is { Length: > 0 } value
                ? value
                : throw Unavailable(reference, "the variable is not set, or is empty", $"Set {reference.Name} in the environment of whatever runs this, such as the service's or the cron job's."),
            SecretPlace.File => ReadFile(reference),
            _ => vault is null
                ? throw Unavailable(reference, "there is no Get-Secret to ask", "Install a vault: Install-PSResource Microsoft.PowerShell.SecretManagement, and one of its stores. Or use env: or file:.")
                : vault(reference.Name) is { Length: > 0 } secret
                    ? secret
                    : throw Unavailable(reference, "the vault gives no text under that name", $"Look at what Get-Secret -Name {reference.Name} says."),
        };
    }

    private string ReadFile(SecretReference reference)
    {
        const string remedy = "Write the secret into that file, and make it readable to this user only: chmod 0600.";
        try
        {
            using var file = new FileStream(reference.Name, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (file.Length is 0 or > LongestFile)
            {
                throw Unavailable(reference, file.Length == 0 ? "the file is empty" : "the file is too large for a secret", remedy);
            }

            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(file.SafeFileHandle) & OpenToOthers) != 0)
            {
                warn?.Invoke($"Others than its owner may open the secret {reference}. Run: chmod 0600 '{reference.Name}'");
            }

            using var reader = new StreamReader(file, new UTF8Encoding(false, throwOnInvalidBytes: true));
            var text = reader.ReadToEnd().TrimEnd('\r', '\n');
            return text.Length > 0 ? text : throw Unavailable(reference, "the file is empty", remedy);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException or NotSupportedException)
        {
            var reason = e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "there is no such file",
                // Not chained, not quoted: its text holds bytes of the secret.
                DecoderFallbackException => "the file is not UTF-8 text",
                _ => "the file cannot be read by this user",
            };
            throw Unavailable(reference, reason, remedy);
        }
    }

    private static MoltException Unavailable(SecretReference reference, string why, string remedy)
        => new("SecretUnavailable", ErrorKind.NotFound, $"The secret {reference} cannot be had: {why}.", remedy, reference.ToString());
}
