using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>One thing a worker does: load a part, or build an index of a table whose rows are all in.</summary>
/// <param name="Table">The table.</param>
/// <param name="Part">The part to load; null for a build.</param>
/// <param name="Build">The entry of the dump to run; null for a load.</param>
internal sealed record LoadStep(TableContents Table, PartContents? Part, DumpEntry? Build);

/// <summary>
/// Hands out loads and index builds so that all workers are busy to the end: builds as soon as their table is loaded, the
/// largest first; loads spread over tables, because two sessions that extend one table wait for each other.
/// </summary>
internal sealed class LoadSchedule
{
    /// <summary>Smaller indexes are left to pg_restore's own parallel run: a process each would cost more than it gains.</summary>
    private const long WorthwhileIndex = 4 << 20;

    private readonly Lock gate = new();
    private readonly List<TableState> tables;
    private TaskCompletionSource changed = New();

    /// <param name="contents">The tables to load.</param>
    /// <param name="entries">Entries of the dump's post-data section that may be run early.</param>
    public LoadSchedule(IEnumerable<TableContents> contents, IEnumerable<DumpEntry> entries)
    {
        var builds = entries.Where(e => e.Kind is "INDEX" or "CONSTRAINT").ToLookup(e => (e.Catalog, e.Oid));
        tables = contents.OrderByDescending(t => t.RawBytes).Select(t => new TableState(t,
            t.Objects.Where(o => o.IndexBytes >= WorthwhileIndex).OrderByDescending(o => o.IndexBytes).SelectMany(o => builds[(o.Catalog, o.Oid)]))).ToList();
        Early = tables.SelectMany(t => t.Builds).ToHashSet();
    }

    /// <summary>The entries that are run here, hence not later.</summary>
    public IReadOnlySet<DumpEntry> Early { get; }

    /// <summary>The next step; null when there is none any more, and there will be none.</summary>
    public async Task<LoadStep?> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task wait;
            lock (gate)
            {
                if (TakeBuild() is { } build)
                {
                    return build;
                }

                if (TakePart() is { } part)
                {
                    return part;
                }

                if (tables.TrueForAll(t => t.Parts.Count == 0 && t.Builds.Count == 0))
                {
                    return null;
                }

                wait = changed.Task;
            }

            await wait.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public void Done(LoadStep step)
    {
        lock (gate)
        {
            var table = tables.Find(t => t.Contents == step.Table)!;
            if (step.Part is not null)
            {
                table.Loading--;
            }
            else
            {
                table.Building--;
                table.Exclusive = false;
            }

            changed.TrySetResult();
            changed = New();
        }
    }

    private LoadStep? TakeBuild()
    {
        TableState? best = null;
        var bestBytes = -1L;
        foreach (var table in tables)
        {
            // ADD CONSTRAINT locks its table for itself; CREATE INDEX tolerates others of its kind.
            if (table.Builds.Count > 0 && table.Parts.Count == 0 && table.Loading == 0 && !table.Exclusive
                && (table.Builds[0].Kind == "INDEX" || table.Building == 0) && table.BytesOf(table.Builds[0]) > bestBytes)
            {
                best = table;
                bestBytes = table.BytesOf(table.Builds[0]);
            }
        }

        if (best is null)
        {
            return null;
        }

        var build = best.Builds[0];
        best.Builds.RemoveAt(0);
        best.Building++;
        best.Exclusive = build.Kind != "INDEX";
        return new LoadStep(best.Contents, null, build);
    }

    private LoadStep? TakePart()
    {
        var table = tables.Where(t => t.Parts.Count > 0).MinBy(t => t.Loading);
        if (table is null)
        {
            return null;
        }

        table.Loading++;
        return new LoadStep(table.Contents, table.Parts.Dequeue(), null);
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class TableState(TableContents contents, IEnumerable<DumpEntry> builds)
    {
        public TableContents Contents { get; } = contents;

        public Queue<PartContents> Parts { get; } = new(contents.Parts);

        public List<DumpEntry> Builds { get; } = [.. builds];

        public int Loading { get; set; }

        public int Building { get; set; }

        /// <summary>A build runs that locks the table for itself.</summary>
        public bool Exclusive { get; set; }

        public long BytesOf(DumpEntry build) => Contents.Objects.First(o => o.Catalog == build.Catalog && o.Oid == build.Oid).IndexBytes;
    }
}
