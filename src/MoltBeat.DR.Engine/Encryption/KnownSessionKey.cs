namespace MoltBeat.DR.Engine.Encryption;

/// <summary>A session key that is known, for messages that give it to exactly the recipients that they should.</summary>
/// <param name="key">Owned from now on.</param>
/// <param name="keyPackets">What every message has to begin with.</param>
internal sealed class KnownSessionKey(SessionKey key, byte[] keyPackets) : ISessionKeySource
{
    public Task<SessionKey> FindAsync(IReadOnlyList<SessionKeyPacket> packets, string member, CancellationToken cancellationToken)
        => packets.SelectMany(p => p.ToBytes()).SequenceEqual(keyPackets)
            ? Task.FromResult(key.Copy())
            : throw OpenPgpErrors.Tampered(member, "it is encrypted to others than the rest");

    public void Dispose() => key.Dispose();
}
