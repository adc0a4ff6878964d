using System.Globalization;

namespace MoltBeat.DR.Bench;

/// <summary>Deleted rows, and what went with them two levels down, back into the same database.</summary>
internal sealed class RowWays
{
    public const string Backup = "molt_backup_for_rows";
    public const string RestoreRows = "molt_restore_rows";

    /// <summary>Users that are lost, with their keys and agents, and what these agents have written and measured.</summary>
    public const int Users = 1000;

    public RowWays(Server server, string molt, int jobs)
    {
        var users = Users.ToString(CultureInfo.InvariantCulture);
        Delete = $"""
            CREATE TEMPORARY TABLE lost AS SELECT id FROM agents WHERE user_id <= {users};
            DELETE FROM posts WHERE agent_id IN (SELECT id FROM lost); DELETE FROM metrics WHERE agent_id IN (SELECT id FROM lost); DELETE FROM alerts WHERE agent_id IN (SELECT id FROM lost);
            DELETE FROM agents WHERE user_id <= {users}; DELETE FROM api_keys WHERE user_id <= {users}; DELETE FROM users WHERE id <= {users}
            """;
        Backups = [new(Backup, "New-MoltBackup", jobs, true, path => Ways.Molt(server, molt, string.Create(CultureInfo.InvariantCulture, $"New-MoltBackup -DatabaseUrl $env:DATABASE_URL -Path {Ways.Quote(path)} -Jobs {jobs} -Confirm:$false")))];
        Restore = new(RestoreRows, $"Restore-MoltRow, {users} users", null, true, Backup, path => Ways.Molt(server, molt,
            $"Restore-MoltRow {Ways.Quote(Ways.Archive(path))} -DatabaseUrl $env:DATABASE_URL -Table users -Where 'id <= {users}' -IncludeDependents -UndoPath {Ways.Quote(path)} -Confirm:$false"));
    }

    /// <summary>Loses the rows.</summary>
    public string Delete { get; }

    public IReadOnlyList<BackupWay> Backups { get; }

    public RestoreWay Restore { get; }
}
