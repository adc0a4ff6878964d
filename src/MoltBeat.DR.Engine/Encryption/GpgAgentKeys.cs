using System.Globalization;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>
/// Private keys that GnuPG's agent keeps, on a card too. gpg opens the session key and tells it to us, once for an archive;
/// the members are decrypted here. It never sees a member, nor does it write anything. Whatever key gpg --decrypt can use it uses here:
/// it is that command, and the session key comes before the data, in whichever mode that is encrypted.
/// </summary>
internal sealed class GpgAgentKeys : ISessionKeySource
{
    private const int DummyBytes = 64;

    private readonly GnuPg gpg;
    private readonly char[]? passphrase;

    /// <param name="gpg">The program.</param>
    /// <param name="passphrase">Copied; empty leaves it to the agent to ask, or to know.</param>
    public GpgAgentKeys(GnuPg gpg, ReadOnlySpan<char> passphrase)
    {
        this.gpg = gpg;
        this.passphrase = passphrase.IsEmpty ? null : passphrase.ToArray();
    }

    public async Task<SessionKey> FindAsync(IReadOnlyList<SessionKeyPacket> packets, string member, CancellationToken cancellationToken)
    {
        // gpg tells the session key before it looks at the data: so no data is given but a few zeros, which it then refuses.
        using var message = new MemoryStream();
        foreach (var packet in packets)
        {
            message.Write(packet.ToBytes());
        }

        message.Write(PacketBytes.Packet(18, [1, .. new byte[DummyBytes]]));
        var said = await gpg.AskAgentAsync(["--show-session-key", "--decrypt"], message.ToArray(), passphrase, GnuPg.AgentLimit, string.Join(", ", packets.Select(p => p.KeyIdText)), cancellationToken).ConfigureAwait(false);
        if (said.Find("SESSION_KEY") is { } told)
        {
            return Read(told, member);
        }

        var ids = string.Join(", ", packets.Select(p => p.KeyIdText));
        if (said.SaysPassphraseWrong)
        {
            throw PrivateKeyErrors.PassphraseWrong(ids, "GnuPG's keyring");
        }

        if (said.SaysNobodyToAsk)
        {
            throw PrivateKeyErrors.PassphraseMissing(ids, "GnuPG's keyring");
        }

        throw said.Find("NO_SECKEY") is not null ? PrivateKeyErrors.Missing(packets, member, "GnuPG's keyring") : said.Failed($"open {member}");
    }

    public void Dispose()
    {
        if (passphrase is not null)
        {
            Array.Clear(passphrase);
        }
    }

    /// <summary>Reads <c>9:0123…</c>: the cipher's number and the key.</summary>
    private static SessionKey Read(string told, string member)
    {
        var parts = told.Split(':');
        if (parts.Length != 2 || !byte.TryParse(parts[0], CultureInfo.InvariantCulture, out var algorithm))
        {
            throw OpenPgpErrors.NotSupported("gpg tells its key in a form that is not known", member);
        }

        if (SessionKey.LengthOf(algorithm) == 0)
        {
            throw OpenPgpErrors.NotSupported($"it is encrypted with {SessionKey.NameOf(algorithm)}; this module opens AES only", member);
        }

        return parts[1].Length == SessionKey.LengthOf(algorithm) * 2
            ? new SessionKey(algorithm, Convert.FromHexString(parts[1]))
            : throw OpenPgpErrors.NotSupported("gpg tells its key in a form that is not known", member);
    }
}
