using System.Globalization;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// Brings Redis keys back into the databases that they were in, with the times at which they expire. Without
/// <see cref="Replace"/> it touches no key that is there, and a restore that fails removes what it wrote; with it a restore that
/// fails has replaced some keys, and can be run again.
/// </summary>
public sealed class RedisRestore : IExtraRestore
{
    private readonly Func<string, RedisTarget> target;

    /// <param name="target">The server for what the backup calls by that name; may throw.</param>
    public RedisRestore(Func<string, RedisTarget> target) => this.target = target;

    public ExtraKind Kind => ExtraKind.Redis;

    /// <summary>Whether keys that are there may be replaced.</summary>
    public bool Replace { get; init; }

    /// <summary>Do not read back what was written.</summary>
    public bool SkipProof { get; init; }

    /// <summary>Bytes of payload that are under way at once; a larger value passes in pieces, alone.</summary>
    internal int BytesAtOnce { get; init; } = 4 << 20;

    internal int KeysAtOnce { get; init; } = 500;

    /// <summary>Is told how many keys have been written; for tests of what happens in the middle.</summary>
    internal Action<long>? Written { get; init; }

    public async Task<IReadOnlyList<ExtraRestoreItem>> PlanAsync(ArchiveReader archive, IReadOnlyList<ExtraContents> extras, CancellationToken cancellationToken)
    {
        var items = new List<ExtraRestoreItem>();
        foreach (var extra in extras)
        {
            var contents = extra.Redis ?? throw ArchiveReader.Damaged(archive.Location, $"its contents do not describe {extra}");
            var where = "?";
            try
            {
                var to = target(extra.Name);
                where = to.Url.ToString();
                items.Add(await new RedisRestorePlan(archive, extra, contents, to, this).MakeAsync(cancellationToken).ConfigureAwait(false));
            }
            catch (MoltException e) when (e.Id.StartsWith("Redis", StringComparison.Ordinal))
            {
                items.Add(new ExtraRestoreItem(Kind, extra.Name, where, string.Create(CultureInfo.InvariantCulture, $"Restore {extra.Items:N0} keys")) { Problem = e });
            }
        }

        return items;
    }

    public async Task<ExtraRestoreResult> RestoreAsync(ArchiveReader archive, ExtraRestoreItem item, IOperationObserver observer, CancellationToken cancellationToken)
        => await new RedisRestoreRun(archive, (RedisRestoreItem)item, this, observer).RunAsync(cancellationToken).ConfigureAwait(false);
}

/// <summary>What a restore of keys would do.</summary>
internal sealed record RedisRestoreItem(string Name, string Target, string Action) : ExtraRestoreItem(ExtraKind.Redis, Name, Target, Action)
{
    public required RedisTarget To { get; init; }

    public required ExtraContents Extra { get; init; }

    /// <summary>Of keys that may come again: the place of the last one. Those before it are not restored.</summary>
    public required IReadOnlyDictionary<UInt128, long> Last { get; init; }

    /// <summary>Keys to restore, those that have expired by now not counted.</summary>
    public required long Keys { get; init; }

    /// <summary>Those of them that are there.</summary>
    public required long Existing { get; init; }

    /// <summary>Whether a key that comes now is restored, or one of the same name that comes later.</summary>
    public bool Counts(RedisPartReader reader)
        => To.Takes(reader.Database) && (Last.Count == 0 || !Last.TryGetValue(RedisSeen.Hash(reader.Database, reader.Key), out var last) || last == reader.Ordinal);
}
