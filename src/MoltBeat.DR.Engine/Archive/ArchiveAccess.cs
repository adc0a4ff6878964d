namespace MoltBeat.DR.Engine.Archive;

/// <summary>With what archives are read.</summary>
/// <param name="Opener">Opens encrypted members; null when there is no key, and only their bytes can be checked.</param>
/// <param name="Verifier">Knows whose signatures are believed; null to believe any archive, signed or not.</param>
public sealed record ArchiveAccess(IMemberOpener? Opener = null, IManifestVerifier? Verifier = null);
