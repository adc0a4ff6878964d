using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Gives what a private key opens to others as well.</summary>
public interface IKeySharer
{
    /// <summary>Opens a message's session key and encrypts it to more keys; whoever could open the message before still can, though their public keys need not be at hand.</summary>
    /// <param name="message">A member's bytes as stored; closed at the end.</param>
    /// <param name="member">Its name, for errors.</param>
    /// <param name="present">Whom the manifest says that it is encrypted to.</param>
    /// <param name="added">Who is to be able to open it too.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Encrypts with the same session key to all of them. To be disposed.</returns>
    /// <exception cref="MoltException"><c>MemberTampered</c> when it is encrypted to others than the manifest says; as of <see cref="IMemberOpener.OpenAsync"/>.</exception>
    Task<OpenPgpSeal> ShareAsync(Stream message, string member, IReadOnlyList<RecipientInfo> present, IReadOnlyList<RecipientKey> added, CancellationToken cancellationToken);
}
