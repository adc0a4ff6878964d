using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>The user's GnuPG: its keyring and its agent. It is asked for keys, never handed data to keep.</summary>
public sealed class GnuPg
{
    private const string StatusMark = "[GNUPG:] ";
    private const int LargestOutput = 32 << 20;
    private const int MostLines = 1000;
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(5);

    private readonly string path;
    private readonly string? home;

    /// <param name="path">The program's full path.</param>
    /// <param name="home">Its folder of keys; null for the one that it would use by itself.</param>
    private GnuPg(string path, string? home)
    {
        this.path = path;
        this.home = home;
    }

    /// <summary>Finds GnuPG in PATH and in the usual folders.</summary>
    /// <param name="home">Its folder of keys; null for the user's, or what GNUPGHOME says.</param>
    /// <exception cref="MoltException"><c>GpgMissing</c>.</exception>
    public static GnuPg Find(string? home = null) => new(Locate(Environment.GetEnvironmentVariable("PATH"), UsualFolders()), home);

    internal static string Locate(string? searchPath, IEnumerable<string> usual)
    {
        // A relative entry would mean another folder, and another's program, wherever one happens to be.
        var folders = (searchPath ?? "").Split(Path.PathSeparator).Where(Path.IsPathRooted).Concat(usual).Distinct(StringComparer.Ordinal).ToList();
        string[] names = OperatingSystem.IsWindows() ? ["gpg.exe"] : ["gpg", "gpg2"];
        return folders.SelectMany(f => names.Select(n => Path.Combine(f, n))).FirstOrDefault(File.Exists)
            ?? throw new MoltException("GpgMissing", ErrorKind.NotInstalled, "GnuPG's program gpg is not in PATH.",
                "Install GnuPG (Debian: apt-get install gnupg), or name key files in place of keys in its keyring.");
    }

    /// <summary>The public keys that a key id, fingerprint or e-mail address stands for.</summary>
    /// <exception cref="MoltException"><c>GpgFailed</c>.</exception>
    internal async Task<byte[]> ExportAsync(string spec, CancellationToken cancellationToken)
    {
        var said = await RunAsync(["--export", "--", spec], default, null, cancellationToken).ConfigureAwait(false);
        // Newer versions end with 2 when nothing matches: the caller sees that for itself.
        return said.ExitCode is 0 or 2 ? said.Output : throw said.Failed("export a public key");
    }

    /// <summary>Time for somebody to type a passphrase, or to touch a card.</summary>
    internal static readonly TimeSpan AgentLimit = TimeSpan.FromMinutes(5);

    /// <summary>Runs gpg for something that takes a private key: its agent may ask somebody for the passphrase.</summary>
    /// <param name="arguments">As of <see cref="RunAsync"/>.</param>
    /// <param name="input">What it reads.</param>
    /// <param name="passphrase">Null lets the agent ask, where it can.</param>
    /// <param name="limit">How long.</param>
    /// <param name="key">Which key, for the error.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>AgentTimedOut</c>, <c>GpgFailed</c>.</exception>
    internal async Task<GpgAnswer> AskAgentAsync(IEnumerable<string> arguments, ReadOnlyMemory<byte> input, char[]? passphrase, TimeSpan limit, string key, CancellationToken cancellationToken)
    {
        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        time.CancelAfter(limit);
        try
        {
            // An array that is null would become a passphrase that is empty, and then nobody is asked.
            return await RunAsync(arguments, input, passphrase is null ? null : (ReadOnlyMemory<char>?)passphrase, time.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new MoltException("AgentTimedOut", ErrorKind.Timeout, string.Create(CultureInfo.InvariantCulture, $"GnuPG's agent has not used the private key {key} within {limit.TotalSeconds:0} seconds: it waits for its passphrase, or for its card."),
                "Somebody has to answer when the agent asks; or give the passphrase.", key, e);
        }
    }

    /// <summary>Runs gpg to its end.</summary>
    /// <param name="arguments">Visible to every user of the machine, so never a secret.</param>
    /// <param name="input">What it reads.</param>
    /// <param name="passphrase">Goes before the input, on a line of its own, for a key that is locked; null leaves it to the agent to ask.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>GpgFailed</c>: it could not be started, or wrote too much. Its exit code is the caller's to judge.</exception>
    internal async Task<GpgAnswer> RunAsync(IEnumerable<string> arguments, ReadOnlyMemory<byte> input, ReadOnlyMemory<char>? passphrase, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<string> all = ["--batch", "--no-tty", "--status-fd", "2"];
        if (home is not null)
        {
            all.AddRange(["--homedir", home]);
        }

        if (passphrase is not null)
        {
            all.AddRange(["--pinentry-mode", "loopback", "--passphrase-fd", "0"]);
        }

        var start = new ProcessStartInfo(path, [.. all, .. arguments])
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.Environment["LC_MESSAGES"] = "C";
        start.Environment.Remove("LC_ALL");
        start.Environment.Remove("LANGUAGE");
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new MoltException("GpgFailed", ErrorKind.Failed, $"{path} can't be run: {e.Message}", "Check that GnuPG is installed well: gpg --version.", path, e);
        }

        using (process)
        {
            try
            {
                var feeding = FeedAsync(process.StandardInput.BaseStream, input, passphrase, cancellationToken);
                var listening = ListenAsync(process.StandardError, cancellationToken);
                var output = await DrainAsync(process.StandardOutput.BaseStream, cancellationToken).ConfigureAwait(false);
                await feeding.ConfigureAwait(false);
                await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
                var (status, messages) = await listening.WaitAsync(s_grace, cancellationToken).ConfigureAwait(false);
                return new GpgAnswer(process.ExitCode, output, status, messages);
            }
            finally
            {
                Kill(process);
            }
        }
    }

    private static async Task FeedAsync(Stream stdin, ReadOnlyMemory<byte> input, ReadOnlyMemory<char>? passphrase, CancellationToken cancellationToken)
    {
        try
        {
            await using (stdin.ConfigureAwait(false))
            {
                if (passphrase is { } secret)
                {
                    var line = new byte[Encoding.UTF8.GetByteCount(secret.Span) + 1];
                    Encoding.UTF8.GetBytes(secret.Span, line);
                    line[^1] = (byte)'\n';
                    await stdin.WriteAsync(line, cancellationToken).ConfigureAwait(false);
                    System.Security.Cryptography.CryptographicOperations.ZeroMemory(line);
                }

                await stdin.WriteAsync(input, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (IOException)
        {
            // It has ended before it read all: its exit code and its words say why.
        }
    }

    private static async Task<byte[]> DrainAsync(Stream stdout, CancellationToken cancellationToken)
    {
        using var kept = new MemoryStream();
        var buffer = new byte[1 << 14];
        while (await stdout.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var n)
        {
            if (kept.Length + n > LargestOutput)
            {
                throw new MoltException("GpgFailed", ErrorKind.Failed, "gpg wrote more than any answer can be.", "Name a single key.", "gpg");
            }

            kept.Write(buffer, 0, n);
        }

        return kept.ToArray();
    }

    private static async Task<(List<string> Status, List<string> Messages)> ListenAsync(StreamReader stderr, CancellationToken cancellationToken)
    {
        List<string> status = [];
        List<string> messages = [];
        while (await stderr.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.StartsWith(StatusMark, StringComparison.Ordinal))
            {
                if (status.Count < MostLines)
                {
                    status.Add(line[StatusMark.Length..]);
                }
            }
            // It says the key there too, for people; nobody is to see it in an error.
            else if (!line.Contains("session key", StringComparison.OrdinalIgnoreCase) && messages.Count < MostLines)
            {
                messages.Add(line);
            }
        }

        return (status, messages);
    }

    private static void Kill(Process process)
    {
        try
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: false);
            }
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has just ended.
        }
    }

    private static IEnumerable<string> UsualFolders()
    {
        if (OperatingSystem.IsWindows())
        {
            yield return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFilesX86), "GnuPG", "bin");
            yield return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "GnuPG", "bin");
            yield return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "Gpg4win", "..", "GnuPG", "bin");
        }
        else
        {
            foreach (var folder in new[] { "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/usr/local/MacGPG2/bin" })
            {
                yield return folder;
            }
        }
    }
}
