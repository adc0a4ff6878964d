using System.Globalization;

namespace MoltBeat.DR.Bench;

/// <summary>What a second copy in S3 costs, and what it costs to restore from there; each beside the same without S3, in turn.</summary>
internal sealed class S3Ways
{
    public const string LocalBackup = "molt_backup_beside_s3";
    public const string BothBackup = "molt_backup_local_and_s3";
    public const string LocalRestore = "molt_restore_beside_s3";
    public const string FarRestore = "molt_restore_from_s3";

    public S3Ways(Server server, string molt, int jobs, S3Place place, string cache)
    {
        Command Molt(string script)
        {
            var command = Ways.Molt(server, molt, script);
            return command with { Environment = new Dictionary<string, string?>(command.Environment) { ["XDG_CACHE_HOME"] = cache } };
        }

        Command Backup(string destinations) => Molt(string.Create(CultureInfo.InvariantCulture, $"New-MoltBackup -DatabaseUrl $env:DATABASE_URL -Destination {destinations} -Jobs {jobs} -Confirm:$false"));
        Command Restore(string from) => Molt(string.Create(CultureInfo.InvariantCulture, $"Restore-MoltBackup -Path {from} -DatabaseUrl $env:DATABASE_URL -TargetDatabase {Ways.Restored} -Jobs {jobs} -SkipProof -Confirm:$false"));
        string Far(string folder) => Ways.Quote(place.Uri(Path.GetFileName(folder), Path.GetFileName(Ways.Archive(folder))));

        Backups =
        [
            new(LocalBackup, "New-MoltBackup, folder", jobs, true, path => Backup(Ways.Quote(path))),
            new(BothBackup, "New-MoltBackup, folder and S3", jobs, true, path => Backup($"{Ways.Quote(path)}, {Ways.Quote(place.Uri(Path.GetFileName(path)))}")),
        ];
        Restores =
        [
            new(LocalRestore, "Restore-MoltBackup -SkipProof, folder", jobs, true, BothBackup, path => Restore(Ways.Quote(Ways.Archive(path)))),
            new(FarRestore, "Restore-MoltBackup -SkipProof, S3", jobs, true, BothBackup, path => Restore(Far(path))),
        ];
    }

    public IReadOnlyList<BackupWay> Backups { get; }

    public IReadOnlyList<RestoreWay> Restores { get; }
}
