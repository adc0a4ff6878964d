using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.TestServers;

namespace MoltBeat.DR.Bench;

/// <summary>Encrypting and decrypting on one core: the module's own code, and gpg, each with the same file.</summary>
internal static class EncryptionBench
{
    private const int FileBytes = 512 << 20;
    private const int Piece = 1 << 18;

    /// <returns>The table, as Markdown.</returns>
    public static async Task<string> RunAsync(string folder, int rounds, CancellationToken cancellationToken)
    {
        var gpg = Find("gpg");
        await using var home = Keyring();
        var fingerprint = await home.CreateKeyAsync("Bench <bench@molt.test>", "ed25519", "cv25519");
        var recipients = await new PublicKeys(home.Path).RecipientsAsync([fingerprint], cancellationToken);
        using var seal = new OpenPgpSeal(recipients);
        using var opener = OpenPgpOpener.FromFile(await home.ExportSecretAsync("bench-secret.asc", "", fingerprint), []);

        // Noise, as zstd's output is: gpg is told not to compress.
        var (plain, message) = (Path.Combine(folder, "plain"), Path.Combine(folder, "plain.gpg"));
        await WriteNoiseAsync(plain, cancellationToken);
        await using (var to = File.Create(message))
        {
            await EncryptAsync(plain, seal, to, cancellationToken);
        }

        string[] common = ["--homedir", home.Path, "--batch", "--no-tty", "--yes", "--trust-model", "always", "-o", "/dev/null"];
        (string Name, Func<Task<double>> Run)[] ways =
        [
            ("MoltBeat.DR encrypts", () => OursAsync(() => EncryptAsync(plain, seal, Stream.Null, cancellationToken))),
            ("gpg --encrypt", () => TheirsAsync(gpg, [.. common, "--compress-algo", "none", "--cipher-algo", "AES256", "-r", fingerprint, "--encrypt", plain], cancellationToken)),
            ("MoltBeat.DR decrypts", () => OursAsync(() => DecryptAsync(message, opener, cancellationToken))),
            ("gpg --decrypt", () => TheirsAsync(gpg, [.. common, "--decrypt", message], cancellationToken)),
        ];
        var seconds = ways.ToDictionary(w => w.Name, _ => new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            foreach (var (name, run) in ways)
            {
                var took = await run();
                seconds[name].Add(took);
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {FileBytes / 1e6 / took:F0} MB/s"));
            }
        }

        var table = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"One core, {FileBytes / 1e6:F0} MB that do not compress, median of {rounds}:\n\n| way | MB/s | seconds |\n| --- | --- | --- |\n"));
        foreach (var (name, _) in ways)
        {
            var median = seconds[name].Order().ElementAt((seconds[name].Count - 1) / 2);
            table.Append(CultureInfo.InvariantCulture, $"| {name} | {FileBytes / 1e6 / median:F0} | {median:F2} |\n");
        }

        return table.ToString();
    }

    /// <summary>This process, and what it starts, on one core alone: not on the idle halves of several.</summary>
    public static void UseOneCore()
    {
        if (OperatingSystem.IsLinux())
        {
            using var self = Process.GetCurrentProcess();
            self.ProcessorAffinity = 1 << (Environment.ProcessorCount - 1);
        }
    }

    private static async Task EncryptAsync(string plain, OpenPgpSeal seal, Stream to, CancellationToken cancellationToken)
    {
        var buffer = new byte[Piece];
        await using var from = File.OpenRead(plain);
        using var cipher = seal.Begin();
        while (await from.ReadAsync(buffer, cancellationToken) is > 0 and var n)
        {
            cipher.Write(buffer.AsSpan(0, n), to);
        }

        cipher.Complete(to);
    }

    private static async Task DecryptAsync(string message, IMemberOpener opener, CancellationToken cancellationToken)
    {
        await using var plain = await opener.OpenAsync(File.OpenRead(message), "bench", cancellationToken);
        await plain.CopyToAsync(Stream.Null, Piece, cancellationToken);
    }

    private static async Task<double> OursAsync(Func<Task> run)
    {
        var clock = Stopwatch.StartNew();
        await run();
        return clock.Elapsed.TotalSeconds;
    }

    private static async Task<double> TheirsAsync(string gpg, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(new ProcessStartInfo(gpg, arguments) { RedirectStandardError = true }) ?? throw new BenchException("gpg did not start.");
        var said = await process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode == 0 ? clock.Elapsed.TotalSeconds : throw new BenchException($"gpg ended with {process.ExitCode}: {said}");
    }

    private static async Task WriteNoiseAsync(string path, CancellationToken cancellationToken)
    {
        var buffer = new byte[1 << 20];
        await using var file = File.Create(path);
        for (var written = 0; written < FileBytes; written += buffer.Length)
        {
            RandomNumberGenerator.Fill(buffer);
            await file.WriteAsync(buffer, cancellationToken);
        }
    }

    private static GnuPgHome Keyring()
    {
        try
        {
            return GnuPgHome.Create();
        }
        catch (TestServerMissingException e)
        {
            throw new BenchException(e.Message);
        }
    }

    private static string Find(string program)
        => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, program)).FirstOrDefault(File.Exists) ?? throw new BenchException($"{program} is not there; install the package gnupg.");
}
