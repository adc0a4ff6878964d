using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Tests.Encryption;
using MoltBeat.TestServers;
using Xunit;

[assembly: AssemblyFixture(typeof(GnuPgFixture))]

namespace MoltBeat.DR.Engine.Tests.Encryption;

/// <summary>One keyring with a few keys for all tests, made when the first wants it.</summary>
public sealed class GnuPgFixture : IAsyncDisposable
{
    public const string Passphrase = "five dark Höhlen";

    private readonly Lazy<Task<Keys>> _keys = new(MakeAsync);

    /// <summary>The keyring: skips where gpg is missing.</summary>
    public Task<Keys> KeysAsync() => PostgresFixture.OrSkipAsync(() => _keys.Value);

    public async ValueTask DisposeAsync()
    {
        if (_keys.IsValueCreated && _keys.Value.IsCompletedSuccessfully)
            await (await _keys.Value).Home.DisposeAsync();
    }

    private static async Task<Keys> MakeAsync()
    {
        var home = GnuPgHome.Create();
        try
        {
            return new Keys(
                home,
                Rsa: await home.CreateKeyAsync("Rosa <rosa@molt.test>", "rsa3072", "rsa3072"),
                Curve: await home.CreateKeyAsync("Kurt <kurt@molt.test>", "ed25519", "cv25519", Passphrase));
        }
        catch
        {
            await home.DisposeAsync();
            throw;
        }
    }

    /// <param name="Home">The keyring.</param>
    /// <param name="Rsa">Fingerprint of an RSA key that nothing locks.</param>
    /// <param name="Curve">Fingerprint of a Curve25519 key, locked with <see cref="Passphrase"/>.</param>
    public sealed record Keys(GnuPgHome Home, string Rsa, string Curve)
    {
        public async Task<IReadOnlyList<RecipientKey>> RecipientsAsync(params string[] fingerprints) =>
            await new PublicKeys(Home.Path).RecipientsAsync(fingerprints, TestContext.Current.CancellationToken);

        private readonly System.Collections.Concurrent.ConcurrentDictionary<string, Task<string>> _secrets = new();

        /// <summary>A file with a private key of the keyring, locked as it is there.</summary>
        public Task<string> SecretAsync(string fingerprint) =>
            _secrets.GetOrAdd(fingerprint, f => Home.ExportSecretAsync($"secret-{f}.asc", Passphrase, f));

        public async Task<OpenPgpOpener> OpenerAsync(string fingerprint, string passphrase = Passphrase) =>
            OpenPgpOpener.FromFile(await SecretAsync(fingerprint), passphrase);
    }
}

/// <summary>What the tests of encryption have in common.</summary>
internal static class Messages
{
    public static byte[] Seal(this IMemberSeal seal, ReadOnlySpan<byte> plain, int step = 1 << 16)
    {
        using var message = new MemoryStream();
        using var cipher = seal.Begin();
        for (var at = 0; at < plain.Length; at += step)
            cipher.Write(plain[at..Math.Min(plain.Length, at + step)], message);
        cipher.Complete(message);
        return message.ToArray();
    }

    public static async Task<byte[]> OpenAsync(this IMemberOpener opener, byte[] message)
    {
        await using var plain = await opener.OpenAsync(new MemoryStream(message), "member.gpg", TestContext.Current.CancellationToken);
        using var all = new MemoryStream();
        await plain.CopyToAsync(all, TestContext.Current.CancellationToken);
        return all.ToArray();
    }

    public static byte[] Random(int length) => RandomNumberGenerator.GetBytes(length);

    /// <summary>The id of the error that an action ends with; any other exception fails the test.</summary>
    public static async Task<string> IdAsync(Func<Task> action) => (await Assert.ThrowsAsync<MoltException>(action)).Id;
}
