using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Replacement;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Checks;

/// <summary>What is looked at on the database that a restore is to replace.</summary>
internal sealed class ReplacementChecks(PinnedServer server, NpgsqlConnection admin, LiveDatabase live, string name, CancellationToken cancellationToken)
{
    /// <summary>Names told of in one sentence.</summary>
    private const int Told = 10;

    public async Task RunAsync(ReadinessReport report, Contents contents)
    {
        await ForUndoAsync(report).ConfigureAwait(false);
        report.Add("Encoding", () => Encoding(contents.Database));
        await report.AddAsync("SchemaDrift", () => DriftAsync(contents)).ConfigureAwait(false);
        await report.AddAsync("PreviousDatabases", PreviousAsync).ConfigureAwait(false);
    }

    /// <summary>What also holds when nothing is restored, but the one of before brought back.</summary>
    public async Task ForUndoAsync(ReadinessReport report)
    {
        await report.AddAsync("SwapRights", RightsAsync).ConfigureAwait(false);
        await report.AddAsync("Sessions", SessionsAsync).ConfigureAwait(false);
        await report.AddAsync("PreparedTransactions", PreparedAsync).ConfigureAwait(false);
        await report.AddAsync("RunningBackup", BackupAsync).ConfigureAwait(false);
        await report.AddAsync("Replication", ReplicationAsync).ConfigureAwait(false);
    }

    /// <summary>What also holds when the database keeps its name, and only what is in it is replaced.</summary>
    public async Task ForInPlaceAsync(ReadinessReport report, Contents contents)
    {
        await report.AddAsync("RunningBackup", BackupAsync).ConfigureAwait(false);
        report.Add("Encoding", () => Encoding(contents.Database));
        await report.AddAsync("SchemaDrift", () => DriftAsync(contents)).ConfigureAwait(false);
    }

    private async Task<Finding> RightsAsync()
    {
        if (!await DatabaseCatalog.ScalarAsync<bool>(admin, string.Create(CultureInfo.InvariantCulture, $"SELECT pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE oid = {live.Oid}"), cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("CannotRenameDatabase", ErrorKind.PermissionDenied, $"{name} belongs to {live.Properties.Owner}, and only its owner can rename it.", $"Restore as {live.Properties.Owner}, as one of its members, or as a superuser.", name);
        }

        return Finding.Pass($"the role may rename {name}, which belongs to {live.Properties.Owner}");
    }

    private async Task<Finding> SessionsAsync()
    {
        var (sessions, mine) = (new List<string>(), new List<string>());
        await DatabaseCatalog.ReadAsync(admin, $"""
            SELECT format('%s%s%s%s', coalesce(a.usename, a.backend_type), '@' || host(a.client_addr), ' (' || nullif(a.application_name, '') || ')', ' ' || a.state),
                   me.rolsuper OR NOT coalesce(r.rolsuper, true) AND (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))
            FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid CROSS JOIN (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) me
            WHERE {live.Sessions} ORDER BY a.backend_start
            """, row =>
        {
            sessions.Add(row.GetString(0));
            if (!row.GetBoolean(1))
            {
                mine.Add(row.GetString(0));
            }
        }, cancellationToken).ConfigureAwait(false);
        if (mine.Count > 0)
        {
            throw new MoltException("SessionsNotEnded", ErrorKind.PermissionDenied, $"The role may not end the sessions in {name}: {Names(mine)}.", "GRANT pg_signal_backend to the role; sessions of superusers only a superuser can end.", name);
        }

        return Finding.Pass(sessions.Count == 0 ? $"nobody is connected to {name}" : $"{sessions.Count} sessions in {name} will be ended: {Names(sessions)}");
    }

    private async Task<Finding> PreparedAsync()
    {
        var prepared = new List<string>();
        await DatabaseCatalog.ReadAsync(admin, $"SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = {SqlName.Literal(name)} ORDER BY prepared", row => prepared.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        return prepared.Count == 0 ? Finding.Pass($"{name} has no prepared transactions") : throw new MoltException("PreparedTransactions", ErrorKind.Busy,
            $"{name} has prepared transactions, with which no database can be renamed: {Names(prepared)}. Nothing was changed.", "End each in that database: COMMIT PREPARED 'name', or ROLLBACK PREPARED 'name'.", prepared);
    }

    private async Task<Finding> BackupAsync()
        => await DatabaseCatalog.ScalarAsync<bool>(admin, "SELECT " + SnapshotSession.BackupRunningIn(live.Oid), cancellationToken).ConfigureAwait(false)
            ? Finding.Warning($"a backup of {name} is running: the replacement waits until it has ended", "Let it end, or end it.")
            : Finding.Pass($"no backup of {name} is running");

    private async Task<Finding> ReplicationAsync()
    {
        var bound = new List<string>();
        await DatabaseCatalog.ReadAsync(admin, string.Create(CultureInfo.InvariantCulture, $"""
            SELECT format('replication slot %s (%s)', slot_name, CASE WHEN active THEN 'active' ELSE 'inactive' END) FROM pg_catalog.pg_replication_slots WHERE datoid = {live.Oid}
            UNION ALL SELECT format('subscription %s', subname) FROM pg_catalog.pg_subscription WHERE subdbid = {live.Oid} ORDER BY 1
            """), row => bound.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        return bound.Count == 0 ? Finding.Pass($"no replication slot or subscription hangs on {name}") : Finding.Warning(
            $"these belong to the database and not to its name, so they stay with the one that is put away: {Names(bound)}",
            "After the replacement, make slots anew and let subscribers begin from them; enable the restored subscriptions (ALTER SUBSCRIPTION … ENABLE), and disable those of the old database, so that changes are not applied to it.");
    }

    private Finding Encoding(DatabaseProperties backup)
    {
        var now = live.Properties;
        var differ = new List<string>();
        void Compare(string what, string? then, string? present)
        {
            if (then != present)
            {
                differ.Add($"{what} {present ?? "none"}, in the backup {then ?? "none"}");
            }
        }

        Compare("encoding", backup.Encoding, now.Encoding);
        Compare("collation", backup.Collate, now.Collate);
        Compare("character type", backup.CType, now.CType);
        if (backup.LocaleProvider is not null && now.LocaleProvider is not null)
        {
            Compare("provider", backup.LocaleProvider, now.LocaleProvider);
            Compare("locale", backup.Locale, now.Locale);
        }

        if (live.CollationChanged is { } changed)
        {
            differ.Add($"its collation was version {changed.Then} when it was made and is {changed.Now} now, so that its present text indexes may be wrong; the restored ones are built anew");
        }

        return differ.Count == 0
            ? Finding.Pass($"{name} and the backup have the same encoding and collation ({now.Encoding}, {now.Collate})")
            : Finding.Warning($"{name} has {string.Join("; ", differ)}", "The restored database will be as the backup's was: text may sort otherwise than now.");
    }

    private async Task<Finding> DriftAsync(Contents contents)
    {
        List<SourceTable> tables;
        var target = server.WithDatabase(name);
        await using (target.ConfigureAwait(false))
        {
            var connection = await target.OpenAsync(new SessionOptions("restore").In(live.Properties.Encoding), cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                await DatabaseCatalog.ExecuteAsync(connection, "SET default_transaction_read_only = on; SET statement_timeout = '60s'; SET search_path = ''", cancellationToken).ConfigureAwait(false);
                tables = await DatabaseCatalog.TablesAsync(connection, cancellationToken).ConfigureAwait(false);
            }
        }

        var kept = contents.Tables.Select(t => (t.Schema, t.Name)).Concat(contents.LeftToPgDump.Select(t => (t.Schema, t.Name))).ToHashSet();
        var there = tables.ToDictionary(t => (t.Schema, t.Name));
        var drift = new List<string>();
        drift.AddRange(tables.Where(t => !t.ExtensionMember && !kept.Contains((t.Schema, t.Name))).Select(t => $"{t.Schema}.{t.Name} is not in the backup, and will be gone"));
        drift.AddRange(kept.Where(k => !there.ContainsKey(k)).Order().Select(k => $"{k.Schema}.{k.Name} is not there now, and will be"));
        foreach (var table in contents.Tables)
        {
            if (there.TryGetValue((table.Schema, table.Name), out var now))
            {
                drift.AddRange(now.Columns.Except(table.Columns, StringComparer.Ordinal).Select(c => $"{table.Schema}.{table.Name}.{c} is not in the backup, and will be gone"));
                drift.AddRange(table.Columns.Except(now.Columns, StringComparer.Ordinal).Select(c => $"{table.Schema}.{table.Name}.{c} is not there now, and will be"));
            }
        }

        return drift.Count == 0
            ? Finding.Pass($"{name} has the tables and columns that the backup has")
            : Finding.Warning($"tables or columns differ from the backup's: {Names(drift)}", "Make sure that the application that will be started fits the backup's schema; what will be gone stays in the database that is put away.");
    }

    private async Task<Finding> PreviousAsync()
    {
        var previous = (await PreviousDatabases.ListAsync(admin, server, cancellationToken).ConfigureAwait(false)).Where(p => p.Database.Of == name).Select(p => p.Database.Name).ToList();
        return previous.Count == 0
            ? Finding.Pass($"no earlier replaced database of {name} is kept")
            : Finding.Warning($"replaced databases of {name} are kept already: {Names(previous)}", $"Remove-MoltPreviousDatabase -DatabaseUrl … removes those that nobody needs.");
    }

    private static string Names(List<string> names) => string.Join("; ", names.Take(Told)) + (names.Count > Told ? string.Create(CultureInfo.InvariantCulture, $" and {names.Count - Told} more") : "");
}
