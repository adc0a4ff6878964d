using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>To whom a backup is to be encrypted, and with what.</summary>
public sealed record ProtectOptions
{
    /// <summary>Who is to be able to open it; at least one.</summary>
    public required IReadOnlyList<RecipientKey> Recipients { get; init; }

    /// <summary>They and nobody else, under a new session key; without it they are added to those who can open it already.</summary>
    public bool Only { get; init; }

    /// <summary>The private keys at hand: one of them opens the backup as it is.</summary>
    public required DeferredOpener Keys { get; init; }

    /// <summary>Whose signatures are believed; null for anybody's.</summary>
    public IManifestVerifier? Verifier { get; init; }

    /// <summary>Signs the new archive; null for none.</summary>
    public IManifestSigner? Signer { get; init; }

    /// <summary>A signed backup may become one without a signature.</summary>
    public bool DropSignature { get; init; }

    /// <summary>The archive that it is made of stays.</summary>
    public bool KeepOld { get; init; }
}
