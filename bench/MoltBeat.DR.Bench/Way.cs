using System.Globalization;

namespace MoltBeat.DR.Bench;

/// <summary>A way to back up or to restore, as one process.</summary>
/// <param name="Id">Its name in bench.json.</param>
/// <param name="Jobs">Null for a way that has no such choice.</param>
/// <param name="Ours">Run by <c>molt</c>.</param>
internal abstract record Way(string Id, string Title, int? Jobs, bool Ours);

/// <param name="Command">Makes the backup at a path that does not exist yet.</param>
internal sealed record BackupWay(string Id, string Title, int? Jobs, bool Ours, Func<string, Command> Command)
    : Way(Id, Title, Jobs, Ours);

/// <param name="From">The backup way whose result it restores.</param>
/// <param name="Command">Restores that path into a database that does not exist yet.</param>
internal sealed record RestoreWay(string Id, string Title, int? Jobs, bool Ours, string From, Func<string, Command> Command)
    : Way(Id, Title, Jobs, Ours);

/// <summary>All that is compared, in the order in which every round runs it.</summary>
internal sealed class Ways
{
    public const string Source = "moltbeat_bench";
    public const string Restored = "moltbeat_bench_restored";

    public const string Gzip = "pg_dump_gzip";
    public const string Zstd = "pg_dump_zstd";
    public const string Psql = "gunzip_psql";

    public Ways(Server server, string molt, IReadOnlyList<int> jobs)
    {
        var source = server.ClientEnvironment(Source);
        Command Shell(string script, params string[] arguments) =>
            new("bash", ["-c", "set -e -o pipefail\n" + script, "bash", .. arguments], source);
        Command Restore(string folder, int n, string more) => Molt(
            server,
            molt,
            $"Restore-MoltBackup -Path {Quote(Archive(folder))} -DatabaseUrl $env:DATABASE_URL -TargetDatabase {Restored} -Jobs {Text(n)}{more} -Confirm:$false");

        Backups =
        [
            new(Gzip, "pg_dump | gzip", null, false, path => Shell("pg_dump | gzip > \"$1\"", path)),
            new(Zstd, "pg_dump | zstd -3 -T0", null, false, path => Shell("pg_dump | zstd -q -3 -T0 -o \"$1\"", path)),
            .. jobs.Select(n => new BackupWay(
                Directory(n), "pg_dump -Fd -Z1", n, false,
                path => new Command(server.Client("pg_dump"), ["-Fd", "-j", Text(n), "-Z1", "-f", path], source))),
            .. jobs.Select(n => new BackupWay(
                Backup(n), "New-MoltBackup", n, true,
                path => Molt(server, molt, $"New-MoltBackup -DatabaseUrl $env:DATABASE_URL -Path {Quote(path)} -Jobs {Text(n)} -Confirm:$false"))),
        ];
        Restores =
        [
            new(Psql, "gunzip | psql", null, false, Gzip, path => Shell(
                $"createdb -T template0 {Restored}\ngunzip -c \"$1\" | psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -d {Restored}", path)),
            .. jobs.Select(n => new RestoreWay(
                PgRestore(n), "pg_restore", n, false, Directory(n),
                path => Shell($"createdb -T template0 {Restored}\npg_restore -e -j \"$2\" -d {Restored} \"$1\"", path, Text(n)))),
            .. jobs.Select(n => new RestoreWay(
                Unproved(n), "Restore-MoltBackup -SkipProof", n, true, Backup(n), path => Restore(path, n, " -SkipProof"))),
            .. jobs.Select(n => new RestoreWay(
                Proved(n), "Restore-MoltBackup", n, true, Backup(n), path => Restore(path, n, ""))),
        ];
    }

    public IReadOnlyList<BackupWay> Backups { get; }

    public IReadOnlyList<RestoreWay> Restores { get; }

    public static string Directory(int jobs) => $"pg_dump_directory_j{Text(jobs)}";

    public static string Backup(int jobs) => $"molt_backup_j{Text(jobs)}";

    public static string PgRestore(int jobs) => $"pg_restore_j{Text(jobs)}";

    public static string Unproved(int jobs) => $"molt_restore_skip_proof_j{Text(jobs)}";

    public static string Proved(int jobs) => $"molt_restore_j{Text(jobs)}";

    /// <summary>A script for <c>molt</c>, which ends with its first error.</summary>
    public static Command Molt(Server server, string molt, string script) =>
        new(molt, ["-Command", "$ErrorActionPreference = 'Stop'; " + script], server.MoltEnvironment(Source));

    /// <summary>The archive that New-MoltBackup left in its folder.</summary>
    public static string Archive(string folder) =>
        System.IO.Directory.GetFiles(folder, "*.tar") is [var only]
            ? only
            : throw new BenchException($"{folder} does not hold exactly one archive.");

    public static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
