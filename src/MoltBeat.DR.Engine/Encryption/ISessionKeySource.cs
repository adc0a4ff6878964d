namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Where session keys come from: a private key somewhere.</summary>
internal interface ISessionKeySource : IDisposable
{
    /// <summary>Opens one of a message's session key packets.</summary>
    /// <param name="packets">All that the message has, as read.</param>
    /// <param name="member">The message's name, for errors.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>PrivateKeyMissing</c>, <c>PassphraseMissing</c>, <c>PassphraseWrong</c>, <c>EncryptionNotSupported</c>, <c>GpgFailed</c>.</exception>
    Task<SessionKey> FindAsync(IReadOnlyList<SessionKeyPacket> packets, string member, CancellationToken cancellationToken);
}
