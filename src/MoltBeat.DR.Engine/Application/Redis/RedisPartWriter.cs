using System.Buffers;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// Writes keys as the commands that bring them back (docs/archive-format.md): <c>zstd -dc</c> of a part is what
/// <c>redis-cli --pipe</c> takes.
/// </summary>
internal sealed class RedisPartWriter(ArchiveWriter archive, string name, long partBytes) : IAsyncDisposable
{
    /// <summary>The first command of every part, which does nothing.</summary>
    public const string Greeting = "moltbeat-redis 1";

    /// <summary>Small keys are gathered: compressing each by itself would cost more than the keys.</summary>
    private const int GatherBytes = 1 << 18;

    private readonly ArrayBufferWriter<byte> gathered = new(GatherBytes);
    private readonly List<ExtraPart> parts = [];
    private ExtraWriter? part;
    private long items;
    private int selected;
    private long left;
    private bool repeats;

    public IReadOnlyList<ExtraPart> Parts => parts;

    /// <summary>Whether anything is in the archive already.</summary>
    public bool Begun => part is not null || parts.Count > 0;

    /// <summary>Begins a key; as many bytes of payload must follow, then <see cref="EndKeyAsync"/>.</summary>
    /// <param name="database">Its database.</param>
    /// <param name="key">Its name.</param>
    /// <param name="expires">UTC in milliseconds since 1970; 0 for never.</param>
    /// <param name="mayRepeat">Whether it may have come before: then the later one counts.</param>
    /// <param name="payloadBytes">Bytes of the payload.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async ValueTask BeginKeyAsync(int database, byte[] key, long expires, bool mayRepeat, long payloadBytes, CancellationToken cancellationToken)
    {
        if (part is null)
        {
            part = await ExtraWriter.OpenAsync(archive, ExtraNames.Member(ExtraKind.Redis, name, string.Create(CultureInfo.InvariantCulture, $".{parts.Count + 1:D4}.zst")), cancellationToken).ConfigureAwait(false);
            gathered.Command("ECHO", Greeting);
            selected = -1;
        }

        if (selected != database)
        {
            gathered.Command("SELECT", database.ToString(CultureInfo.InvariantCulture));
            selected = database;
        }

        WriteHead(gathered, key, expires, mayRepeat, payloadBytes);
        repeats = mayRepeat;
        left = payloadBytes;
    }

    public async ValueTask PayloadAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        left -= bytes.Length;
        if (gathered.WrittenCount + bytes.Length > GatherBytes)
        {
            await PassOnAsync(cancellationToken).ConfigureAwait(false);
        }

        if (bytes.Length > GatherBytes / 4)
        {
            await part!.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            gathered.Write(bytes.Span);
        }
    }

    public async ValueTask EndKeyAsync(CancellationToken cancellationToken)
    {
        WriteTail(gathered, repeats);
        items++;
        if (gathered.WrittenCount > GatherBytes)
        {
            await PassOnAsync(cancellationToken).ConfigureAwait(false);
        }

        if (part!.Length + gathered.WrittenCount >= partBytes)
        {
            await EndPartAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the last part. One whose last key broke off is filled up, so that the archive stays whole; such a key's checksum is wrong.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        if (left > 0)
        {
            var nothing = new byte[1 << 16];
            while (left > 0)
            {
                await PayloadAsync(nothing.AsMemory(0, (int)Math.Min(left, nothing.Length)), cancellationToken).ConfigureAwait(false);
            }

            await EndKeyAsync(cancellationToken).ConfigureAwait(false);
        }

        if (part is not null)
        {
            await EndPartAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public ValueTask DisposeAsync() => part?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>What stands before a key's payload.</summary>
    public static void WriteHead(IBufferWriter<byte> output, ReadOnlySpan<byte> key, long expires, bool replace, long payloadBytes)
    {
        output.List(replace ? 6 : 5);
        output.Bytes("RESTORE"u8);
        output.Bytes(key);
        output.Number(expires);
        output.BytesHead(payloadBytes);
    }

    /// <summary>What stands behind it.</summary>
    public static void WriteTail(IBufferWriter<byte> output, bool replace)
    {
        output.Write("\r\n"u8);
        output.Bytes("ABSTTL"u8);
        if (replace)
        {
            output.Bytes("REPLACE"u8);
        }
    }

    private async ValueTask PassOnAsync(CancellationToken cancellationToken)
    {
        await part!.WriteAsync(gathered.WrittenMemory, cancellationToken).ConfigureAwait(false);
        gathered.ResetWrittenCount();
    }

    private async Task EndPartAsync(CancellationToken cancellationToken)
    {
        await PassOnAsync(cancellationToken).ConfigureAwait(false);
        parts.Add(await part!.CompleteAsync(items, cancellationToken).ConfigureAwait(false));
        await part.DisposeAsync().ConfigureAwait(false);
        part = null;
        items = 0;
    }
}
