using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>Counts what was decided, and puts it into words.</summary>
internal sealed class RowReport(RowSession session, RowClosure closure, RowRestoreOptions options, Manifest manifest)
{
    private const int SampleRows = 5;

    /// <summary>Triggers that fire, by table.</summary>
    public IReadOnlyList<string> Triggers => options.SkipTriggers ? [] : closure.Units.Concat(closure.Links).SelectMany(u => u.Live.Triggers).Select(t => $"{t.Table}.{t.Name}").Distinct().ToList();

    /// <param name="first">The table that was asked for.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<List<RestoredRows>> TablesAsync(LiveTable first, CancellationToken cancellationToken)
    {
        var tables = new List<RestoredRows>();
        foreach (var unit in closure.Units.OrderBy(u => u.Live != first).Concat(closure.Links))
        {
            long inserted = 0, updated = 0, skipped = 0, present = 0, different = 0;
            var roles = "";
            await DatabaseCatalog.ReadAsync(session.Connection, $"""
                SELECT count(*) FILTER (WHERE r.state = 'm'), count(*) FILTER (WHERE r.state IN ('u', 'o')), count(*) FILTER (WHERE r.state = 'x'), count(*) FILTER (WHERE r.state IN ('s', 'd')), count(*) FILTER (WHERE r.state = 'd'), coalesce(string_agg(DISTINCT r.role::text, ''), '')
                FROM {unit.Rows} r
                """, row => (inserted, updated, skipped, present, different, roles) = (row.GetInt64(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4), row.GetString(5)), cancellationToken).ConfigureAwait(false);
            if (unit.Live == first && unit.Link is null || inserted + updated + skipped > 0 || unit.Link is null && present > 0)
            {
                tables.Add(new RestoredRows
                {
                    Table = ByteText.Shown(unit.ToString(), session.Encoding),
                    Role = unit.Link is not null ? "Link" : unit.Live == first ? "Selected" : roles.Contains('d', StringComparison.Ordinal) ? "Dependent" : "Parent",
                    Inserted = inserted,
                    Updated = updated,
                    Skipped = skipped,
                    Present = unit.Link is null ? present : 0,
                    Different = unit.Link is null ? different : 0,
                    Notes = Notes(unit, inserted, present, different, unit.Live == first && unit.Link is null),
                    Samples = await SamplesAsync(unit, cancellationToken).ConfigureAwait(false),
                    Backup = manifest.Name ?? manifest.Id,
                    StateOf = manifest.Created,
                });
            }
        }

        return tables;
    }

    /// <summary>Lines for the head of the undo file.</summary>
    public IEnumerable<string> Explain(string path) =>
    [
        $"MoltBeat.DR: takes out what was restored at {DateTimeOffset.UtcNow.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC into {options.Connection.Database}: {options.Table} where {options.Where}",
        $"from {manifest.Name ?? manifest.Id}, state of {manifest.Created.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC.",
        "Does all or nothing, and nothing when a row has changed since or others refer to it. Triggers fire. Holds values of rows: keep it private.",
        $"psql -X -v ON_ERROR_STOP=1 -d {options.Connection.Database} -f {path}",
    ];

    private List<string> Notes(RowUnit unit, long inserted, long present, long different, bool first)
    {
        var notes = new List<string>(unit.Notes);
        if (unit.Link is { } link)
        {
            notes.Add($"{link.Name}: {string.Join(", ", link.SetColumns)} put back to what the deletion has taken away.");
        }

        if (unit.Key is null && unit.Link is null)
        {
            notes.Add("It has no key: rows are compared as a whole.");
        }

        if (unit.Lost.Count > 0)
        {
            notes.Add($"Columns that are no longer there, and are left out: {string.Join(", ", unit.Lost)}.");
        }

        var added = unit.Live.Columns.Where(c => !c.Generated && !unit.Columns.Contains(c)).Select(c => c.Name).ToList();
        if (added.Count > 0 && inserted > 0)
        {
            notes.Add($"Columns that the backup does not have get their defaults: {string.Join(", ", added)}.");
        }

        if (unit.Live.Rules.Count > 0)
        {
            notes.Add($"Rules act on it: {string.Join(", ", unit.Live.Rules)}.");
        }

        if (first && unit.Live.HasChildren)
        {
            notes.Add("Tables inherit from it: their rows are not looked at.");
        }

        if (first && options.IncludeDependents && present > 0)
        {
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"{present:N0} of the rows are there: what refers to them was not looked for."));
        }

        if (different > 0 && !options.IncludeChanged)
        {
            notes.Add(string.Create(CultureInfo.InvariantCulture, $"{different:N0} rows are there with other values; -IncludeChanged puts them back where they were asked for."));
        }

        return notes;
    }

    private async Task<List<IReadOnlyDictionary<string, string?>>> SamplesAsync(RowUnit unit, CancellationToken cancellationToken)
    {
        var samples = new List<IReadOnlyDictionary<string, string?>>();
        if (unit.Columns.Count > 0)
        {
            await DatabaseCatalog.ReadAsync(session.Connection, $"SELECT {string.Join(", ", unit.Columns.Select(c => $"left({unit.Row(c.Name)}::text, 200)"))} FROM {unit.Rows} r WHERE r.state IN ('m', 'u', 'o') ORDER BY r.id LIMIT {SampleRows}",
                row => samples.Add(unit.Columns.Select((c, i) => (c.Name, Value: row.IsDBNull(i) ? null : row.GetString(i))).ToDictionary(c => ByteText.Shown(c.Name, session.Encoding), c => c.Value)), cancellationToken).ConfigureAwait(false);
        }

        return samples;
    }
}
