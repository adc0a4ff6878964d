using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>One thing a worker does: load parts of a table, or run an entry of the dump once the rows it needs are in.</summary>
/// <param name="Tables">The tables it touches; a load's is the first.</param>
/// <param name="Parts">The parts to load; empty for an entry.</param>
/// <param name="Whole">The parts are the whole table, which nobody else loads.</param>
/// <param name="Entry">The entry to run; null for a load.</param>
/// <param name="SortedBytes">Size of the btree that the entry builds; 0 for what sorts nothing.</param>
/// <param name="ParallelWorkers">How many workers have nothing else to do: as many as the server may use for this build besides.</param>
internal sealed record LoadStep(IReadOnlyList<TableContents> Tables, IReadOnlyList<PartContents> Parts, bool Whole, DumpEntry? Entry, long SortedBytes = 0, int ParallelWorkers = 0)
{
    public TableContents Table => Tables[0];
}

/// <summary>
/// Hands out loads and index builds so that all workers are busy to the end: builds as soon as their table is loaded, the
/// largest first; loads spread over tables, because two sessions that extend one table wait for each other.
/// </summary>
internal sealed class LoadSchedule
{
    /// <summary>Smaller indexes are left to pg_restore's own parallel run: a process each would cost more than it gains.</summary>
    private const long WorthwhileIndex = 4 << 20;

    /// <summary>Checking a foreign key reads its table's rows; of fewer bytes than this it is left to pg_restore as well.</summary>
    private const long WorthwhileForeignKey = 64 << 20;

    /// <summary>
    /// What a byte of another index costs, in bytes of a btree: a full-text GIN of the bench took 15 s for a fraction of the
    /// size of btrees that took 3 s. Begun late, it would be alone at the end.
    /// </summary>
    private const int OtherMethods = 8;

    private readonly int jobs;
    private readonly Lock gate = new();
    private readonly List<TableState> tables;
    private readonly List<Build> builds = [];
    private TaskCompletionSource changed = New();
    private int running;

    /// <param name="contents">The tables to load.</param>
    /// <param name="entries">Entries of the dump's post-data section that may be run early.</param>
    /// <param name="jobs">Workers that will ask for steps.</param>
    public LoadSchedule(IReadOnlyCollection<TableContents> contents, IReadOnlyCollection<DumpEntry> entries, int jobs)
    {
        this.jobs = jobs;
        var all = contents.Sum(t => t.RawBytes);

        // Rows of a table that several load cannot come frozen, which costs the server a quarter more CPU in all: worth it
        // only where most of the workers would stand idle otherwise.
        tables = contents.OrderByDescending(t => t.RawBytes).Select(t => new TableState(t, whole: !TableRange.Dominates(t.RawBytes, all, (jobs + 1) / 2))).ToList();
        var touched = tables.SelectMany(t => t.Contents.Objects.Select(o => (Key: (o.Catalog, o.Oid), Table: t, o.IndexBytes, o.Method))).ToLookup(x => x.Key);
        var keys = new HashSet<TableState>();
        foreach (var entry in entries.Where(e => e.Kind == "FK CONSTRAINT"))
        {
            // Only between two plain tables: those of partitions come as several constraints that belong together.
            var of = touched[(entry.Catalog, entry.Oid)].Select(x => x.Table).Distinct().ToList();
            if (of.Count is 1 or 2 && of.TrueForAll(t => t.Contents.Parents.Count == 0)
                && of.Find(t => entry.Rest.StartsWith($"{t.Contents.Schema} {t.Contents.Name} ", StringComparison.Ordinal)) is { } referencing
                && referencing.Contents.RawBytes >= WorthwhileForeignKey)
            {
                builds.Add(new Build(entry, of, Exclusive: true, referencing.Contents.RawBytes / 16, SortedBytes: 0));
                keys.UnionWith(of);
            }
        }

        foreach (var entry in entries.Where(e => e.Kind is "INDEX" or "CONSTRAINT"))
        {
            // A foreign key that is checked early needs the key it refers to, however small.
            if (touched[(entry.Catalog, entry.Oid)].FirstOrDefault() is { Table: not null } found
                && (found.IndexBytes >= WorthwhileIndex || (entry.Kind == "CONSTRAINT" && found.IndexBytes > 0 && keys.Contains(found.Table))))
            {
                var btree = found.Method is null;
                builds.Add(new Build(entry, [found.Table], Exclusive: entry.Kind == "CONSTRAINT", found.IndexBytes * (btree ? 1 : OtherMethods), btree ? found.IndexBytes : 0));
            }
        }

        builds.Sort((x, y) => y.Cost.CompareTo(x.Cost));
        Early = builds.Select(b => b.Entry).ToHashSet();
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
                if ((TakeBuild() ?? TakeParts()) is { } step)
                {
                    running++;
                    return step;
                }

                if (builds.Count == 0 && tables.TrueForAll(t => t.Parts.Count == 0))
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
            running--;
            foreach (var table in tables.Where(t => step.Tables.Contains(t.Contents)))
            {
                if (step.Entry is null)
                {
                    table.Loading--;
                }
                else
                {
                    table.Building--;
                    table.Exclusive = false;
                }
            }

            changed.TrySetResult();
            changed = New();
        }
    }

    private LoadStep? TakeBuild()
    {
        var at = builds.FindIndex(b => b.Tables.TrueForAll(t => t.Parts.Count == 0 && t.Loading == 0 && !t.Exclusive && (!b.Exclusive || t.Building == 0))
            && (b.Entry.Kind != "FK CONSTRAINT" || !builds.Exists(k => k.Entry.Kind != "FK CONSTRAINT" && k.Exclusive && b.Tables.Contains(k.Tables[0]))));
        if (at < 0)
        {
            return null;
        }

        var build = builds[at];
        builds.RemoveAt(at);
        foreach (var table in build.Tables)
        {
            table.Building++;
            table.Exclusive = build.Exclusive;
        }

        var waiting = builds.Count + tables.Sum(t => t.Whole ? Math.Min(t.Parts.Count, 1) : t.Parts.Count);
        return new LoadStep(build.Tables.ConvertAll(t => t.Contents), [], false, build.Entry, build.SortedBytes, Math.Max(0, jobs - running - 1 - waiting));
    }

    private LoadStep? TakeParts()
    {
        var table = tables.Where(t => t.Parts.Count > 0).MinBy(t => t.Loading);
        if (table is null)
        {
            return null;
        }

        table.Loading++;
        var parts = new List<PartContents>();
        do
        {
            parts.Add(table.Parts.Dequeue());
        }
        while (table.Whole && table.Parts.Count > 0);
        return new LoadStep([table.Contents], parts, table.Whole, null);
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="Entry">What to run.</param>
    /// <param name="Tables">The tables it locks.</param>
    /// <param name="Exclusive">It wants them for itself: ADD CONSTRAINT does, CREATE INDEX tolerates others of its kind.</param>
    /// <param name="Cost">What it is likely to cost, in bytes of index; the dearest go first.</param>
    /// <param name="SortedBytes">Size of the btree it builds; 0 for what sorts nothing.</param>
    private sealed record Build(DumpEntry Entry, List<TableState> Tables, bool Exclusive, long Cost, long SortedBytes);

    private sealed class TableState(TableContents contents, bool whole)
    {
        public TableContents Contents { get; } = contents;

        /// <summary>One worker loads all of it.</summary>
        public bool Whole { get; } = whole;

        public Queue<PartContents> Parts { get; } = new(contents.Parts);

        public int Loading { get; set; }

        public int Building { get; set; }

        public bool Exclusive { get; set; }
    }
}
