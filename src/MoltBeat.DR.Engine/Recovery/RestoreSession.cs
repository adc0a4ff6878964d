using System.Text;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>A backup and the server that it is to be restored to, both open.</summary>
/// <param name="Archive">The backup.</param>
/// <param name="Contents">What it holds.</param>
/// <param name="Server">The server, with a database that is not the target.</param>
/// <param name="Admin">A session on it, which the server keeps from writing.</param>
internal sealed record RestoreSession(ArchiveReader Archive, Contents Contents, PinnedServer Server, NpgsqlConnection Admin)
{
    /// <summary>Opens both for as long as the operation runs.</summary>
    public static async Task<T> UseAsync<T>(IBackupStore store, string name, RestoreOptions options, IOperationObserver observer, Func<RestoreSession, Task<T>> operation, CancellationToken cancellationToken)
    {
        Check(options);
        var archive = await ArchiveReader.OpenAsync(await store.OpenAsync(await store.FindAsync(name, cancellationToken).ConfigureAwait(false), manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken, options.Access).ConfigureAwait(false);
        await using (archive.ConfigureAwait(false))
        {
            if (options.Backup is { } meant && archive.Index.ManifestSha256 != meant.ManifestSha256)
            {
                throw new MoltException("BackupNotFound", ErrorKind.NotFound, $"{archive.Location} is another backup than {meant.Path}, which bears its name.", "List what is there with Get-MoltBackup.", archive.Location);
            }

            var contents = await archive.ReadContentsAsync(cancellationToken).ConfigureAwait(false);
            foreach (var warning in options.Connection.Warnings)
            {
                observer.Warning(warning);
            }

            var (admin, server) = await MaintenanceSession.OpenAsync(options.Connection, options.TargetDatabase, "restore", cancellationToken).ConfigureAwait(false);
            await using (server.ConfigureAwait(false))
            await using (admin.ConfigureAwait(false))
            {
                try
                {
                    return await operation(new RestoreSession(archive, contents, server, admin)).ConfigureAwait(false);
                }
                catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Restoring {options.TargetDatabase}", options.TargetDatabase) is { } translated)
                {
                    throw translated;
                }
            }
        }
    }

    /// <exception cref="MoltException"><c>TargetNameInvalid</c>, <c>ReplaceInvalid</c>.</exception>
    public static void Check(RestoreOptions options)
    {
        var name = options.TargetDatabase;
        if (Encoding.UTF8.GetByteCount(name) is 0 or > 63 || name.Contains('\0', StringComparison.Ordinal))
        {
            throw new MoltException("TargetNameInvalid", ErrorKind.InvalidArgument, $"'{name}' is no name for a database: PostgreSQL takes 1 to 63 bytes.", "Choose a shorter -TargetDatabase.", name);
        }

        if (name is "postgres" or "template0" or "template1")
        {
            throw new MoltException("TargetNameInvalid", ErrorKind.InvalidArgument, $"{name} is the server's own database.", "Choose another -TargetDatabase.", name);
        }

        if (options.InPlace && (options.Replace || options.Tables.Count > 0 || options.SkipProof || options.SafetyStore is null))
        {
            throw new MoltException("InPlaceInvalid", ErrorKind.InvalidArgument, $"{name} is restored in place only as a whole, proven, and when there is a place for a backup of what it holds now.", "Leave -Replace, -Table and -SkipProof out, and give -SafetyStore.", name);
        }

        if (options.Replace && options.Tables.Count > 0)
        {
            throw new MoltException("ReplaceInvalid", ErrorKind.InvalidArgument, $"{name} would be replaced by a database that holds only chosen tables.", "Leave -Table or -Replace out.", name);
        }

        if (options.Replace && options.SkipProof)
        {
            throw new MoltException("ReplaceInvalid", ErrorKind.InvalidArgument, $"A database that nobody has compared with its backup does not take the place of {name}.", "Leave -SkipProof or -Replace out.", name);
        }
    }
}
