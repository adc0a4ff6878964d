using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Opens with what is only looked for when there is something to open: a readable backup needs no gpg.</summary>
public sealed class DeferredOpener : IMemberOpener, IKeyProver, IKeySharer, IDisposable
{
    private readonly Lazy<OpenPgpOpener> opener;

    internal DeferredOpener(Func<OpenPgpOpener> find) => opener = new Lazy<OpenPgpOpener>(find);

    internal DeferredOpener(OpenPgpOpener found) => opener = new Lazy<OpenPgpOpener>(found);

    public Task<Stream> OpenAsync(Stream message, string member, CancellationToken cancellationToken) => opener.Value.OpenAsync(message, member, cancellationToken);

    public Task<IReadOnlyList<KeyTrial>> TryEachAsync(ReadOnlyMemory<byte> message, string member, CancellationToken cancellationToken)
        => opener.Value.TryEachAsync(message, member, cancellationToken);

    public Task<OpenPgpSeal> ShareAsync(Stream message, string member, IReadOnlyList<RecipientInfo> present, IReadOnlyList<RecipientKey> added, CancellationToken cancellationToken)
        => opener.Value.ShareAsync(message, member, present, added, cancellationToken);

    public void Dispose()
    {
        if (opener.IsValueCreated)
        {
            opener.Value.Dispose();
        }
    }
}
