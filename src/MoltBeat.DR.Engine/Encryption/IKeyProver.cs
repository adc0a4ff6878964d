namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Opens a small message with every private key that is at hand, each by itself.</summary>
public interface IKeyProver
{
    /// <summary>Tries each of the message's recipients.</summary>
    /// <param name="message">The whole message.</param>
    /// <param name="member">Its name, for errors.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>For every recipient, in the message's order, what its key opened, or why it did not.</returns>
    /// <exception cref="MoltException"><c>MemberNotOpenPgp</c>, <c>EncryptionNotSupported</c>, <c>GpgMissing</c>.</exception>
    Task<IReadOnlyList<KeyTrial>> TryEachAsync(ReadOnlyMemory<byte> message, string member, CancellationToken cancellationToken);
}

/// <summary>What one recipient's key did.</summary>
/// <param name="KeyId">Of the (sub)key: 16 upper-case hexadecimal digits.</param>
/// <param name="Plain">What it opened; null when it did not.</param>
/// <param name="Failure">Why it did not: <c>PrivateKeyMissing</c> when it is not at hand. Null when it did.</param>
public sealed record KeyTrial(string KeyId, ReadOnlyMemory<byte>? Plain, MoltException? Failure);
