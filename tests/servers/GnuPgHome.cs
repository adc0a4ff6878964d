using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace MoltBeat.TestServers;

/// <summary>A throwaway keyring of the real GnuPG, with an agent of its own that ends with it.</summary>
public sealed class GnuPgHome : IAsyncDisposable
{
    private readonly ServerFolder _folder;
    private readonly string _gpg;

    private GnuPgHome(string gpg)
    {
        _gpg = gpg;
        _folder = ServerFolder.Create();
        Path = _folder["gpg"];
        Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // By itself the agent makes every guess of a passphrase take a tenth of a second.
        System.IO.File.WriteAllText(System.IO.Path.Combine(Path, "gpg-agent.conf"), "s2k-count 65536\n");
    }

    /// <summary>What <c>--homedir</c> and GNUPGHOME take.</summary>
    public string Path { get; }

    /// <exception cref="TestServerMissingException">gpg is not installed.</exception>
    public static GnuPgHome Create() => new(Tool.Find("gpg") ?? throw new TestServerMissingException("gpg is not installed."));

    /// <summary>A path beside the keyring, for files of tests; gone with it.</summary>
    public string File(string name) => _folder[name];

    /// <summary>Makes a key that certifies and signs, with a subkey that encrypts where one is asked for. Returns its fingerprint.</summary>
    /// <param name="user">The user id.</param>
    /// <param name="algorithm">The primary key's: rsa3072, ed25519, nistp256.</param>
    /// <param name="subkey">The subkey's: rsa3072, cv25519, nistp256; null for none.</param>
    /// <param name="passphrase">Empty for none.</param>
    /// <param name="made">When gpg is to believe that it is made; null for now.</param>
    /// <param name="expires">As gpg takes it: never, 1y, an ISO time.</param>
    /// <param name="subkeyExpires">Likewise for the subkey.</param>
    public async Task<string> CreateKeyAsync(string user, string algorithm, string? subkey, string passphrase = "", DateTimeOffset? made = null,
        string expires = "never", string subkeyExpires = "never")
    {
        string[] common = [.. Time(made), "--pinentry-mode", "loopback", "--passphrase", passphrase];
        await RunAsync([.. common, "--quick-generate-key", user, algorithm, "cert,sign", expires]);
        var fingerprint = (await FingerprintsAsync($"={user}")).Last();
        if (subkey is not null)
            await RunAsync([.. common, "--quick-add-key", fingerprint, subkey, "encr", subkeyExpires]);
        return fingerprint;
    }

    /// <summary>The fingerprints of the primary keys that a name matches.</summary>
    public async Task<IReadOnlyList<string>> FingerprintsAsync(string name)
    {
        var lines = Encoding.UTF8.GetString(await RunAsync(["--with-colons", "--list-keys", name])).Split('\n');
        return [.. lines.Where((l, i) => l.StartsWith("fpr:", StringComparison.Ordinal) && lines[i - 1].StartsWith("pub:", StringComparison.Ordinal)).Select(l => l.Split(':')[9])];
    }

    /// <summary>The fingerprints of the subkeys of a primary key.</summary>
    public async Task<IReadOnlyList<string>> SubkeysAsync(string fingerprint)
    {
        var lines = Encoding.UTF8.GetString(await RunAsync(["--with-colons", "--list-keys", fingerprint])).Split('\n');
        return [.. lines.Where((l, i) => l.StartsWith("fpr:", StringComparison.Ordinal) && lines[i - 1].StartsWith("sub:", StringComparison.Ordinal)).Select(l => l.Split(':')[9])];
    }

    /// <summary>The key ids of all keys under a primary key, itself first.</summary>
    public async Task<IReadOnlyList<string>> KeyIdsAsync(string fingerprint)
    {
        var lines = Encoding.UTF8.GetString(await RunAsync(["--with-colons", "--list-keys", fingerprint])).Split('\n');
        return [.. lines.Where(l => l.StartsWith("pub:", StringComparison.Ordinal) || l.StartsWith("sub:", StringComparison.Ordinal)).Select(l => l.Split(':')[4])];
    }

    /// <summary>Writes a public key to a file beside the keyring, armored unless the name ends with .gpg; returns its path.</summary>
    public async Task<string> ExportAsync(string file, params string[] keys)
    {
        await System.IO.File.WriteAllBytesAsync(File(file), await RunAsync([.. Armor(file), "--export", .. keys]));
        return File(file);
    }

    /// <summary>Likewise for private keys, locked as they are in the keyring.</summary>
    public async Task<string> ExportSecretAsync(string file, string passphrase, params string[] keys)
    {
        await System.IO.File.WriteAllBytesAsync(File(file),
            await RunAsync([.. Armor(file), "--pinentry-mode", "loopback", "--passphrase", passphrase, "--export-secret-keys", .. keys]));
        return File(file);
    }

    /// <summary>Runs gpg and returns what it writes; throws <see cref="TestServerException"/> when it does not end with 0.</summary>
    public async Task<byte[]> RunAsync(IEnumerable<string> arguments, ReadOnlyMemory<byte> input = default)
    {
        var (code, output, error) = await TryRunAsync(arguments, input);
        return code == 0 ? output : throw new TestServerException($"gpg ended with {code}: {error}");
    }

    /// <summary>Likewise, whatever it ends with.</summary>
    public async Task<(int ExitCode, byte[] Output, string Error)> TryRunAsync(IEnumerable<string> arguments, ReadOnlyMemory<byte> input = default)
    {
        var start = Tool.StartInfo([_gpg, "--homedir", Path, "--batch", "--no-tty", "--yes", "--trust-model", "always", .. arguments], null);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using var process = Process.Start(start) ?? throw new TestServerException("gpg did not start.");
        using var output = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(output);
        var error = process.StandardError.ReadToEndAsync();
        try
        {
            await using var stdin = process.StandardInput.BaseStream;
            await stdin.WriteAsync(input);
        }
        catch (IOException)
        {
            // It has ended before it read all.
        }

        await reading;
        await process.WaitForExitAsync();
        return (process.ExitCode, output.ToArray(), await error);
    }

    public static IEnumerable<string> Time(DateTimeOffset? time) =>
        time is { } at ? ["--faked-system-time", at.UtcDateTime.ToString("yyyyMMdd'T'HHmmss", CultureInfo.InvariantCulture)] : [];

    /// <summary>Takes a key back.</summary>
    /// <param name="fingerprint">The primary key's.</param>
    /// <param name="reason">gpg's number: 0 none, 1 compromised, 2 superseded, 3 no longer used.</param>
    public async Task RevokeAsync(string fingerprint, string reason = "0")
    {
        var certificate = await AnswerAsync(["--gen-revoke", fingerprint], ["y", reason, "", "y"]);
        await RunAsync(["--import"], certificate);
    }

    /// <summary>Answers the questions of <c>gpg --edit-key</c> one after the other.</summary>
    public Task EditAsync(string fingerprint, params string[] answers) => AnswerAsync(["--edit-key", fingerprint], answers);

    /// <summary>Ends the agent; the next use of the keyring starts another.</summary>
    public async Task StopAgentAsync()
    {
        if (Tool.Find("gpgconf") is { } gpgconf)
        {
            using var process = Process.Start(Tool.StartInfo([gpgconf, "--homedir", Path, "--kill", "gpg-agent"], null)) ?? throw new TestServerException("gpgconf did not start.");
            process.StandardInput.Close();
            await process.WaitForExitAsync();
            // It says yes and ends a moment later; until then it takes whoever comes, and leaves him without an answer.
            for (var i = 0; i < 100 && System.IO.File.Exists(System.IO.Path.Combine(Path, "S.gpg-agent")); i++)
                await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAgentAsync();
        _folder.Dispose();
    }

    private async Task<byte[]> AnswerAsync(IEnumerable<string> arguments, IEnumerable<string> answers) =>
        await RunAsync(["--no-batch", "--pinentry-mode", "loopback", "--passphrase", "", "--command-fd", "0", "--status-fd", "2", .. arguments],
            Encoding.UTF8.GetBytes(string.Concat(answers.Select(a => a + "\n"))));

    private static string[] Armor(string file) => file.EndsWith(".gpg", StringComparison.Ordinal) ? [] : ["--armor"];
}
