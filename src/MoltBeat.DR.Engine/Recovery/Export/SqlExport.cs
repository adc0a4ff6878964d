using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Export;

/// <summary>
/// Writes a backup as one compressed file of SQL. Rows that the archive holds in binary form have no other reader than a
/// server: so it is restored and proven under a name that nobody uses, pg_dump reads that, and it is dropped again.
/// </summary>
public static class SqlExport
{
    private static readonly TimeSpan s_cleanUpTime = TimeSpan.FromSeconds(30);

    /// <param name="copies">The copies, the nearest first: the store and the file name in it.</param>
    /// <param name="options">The server, and how to restore; its target is not used.</param>
    /// <param name="destination">The file to write.</param>
    /// <param name="force">Overwrite it when it is there.</param>
    /// <param name="approve">Is asked once; until it says yes nothing is changed anywhere.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="cancellationToken">Stops it; neither file nor database is left then.</param>
    /// <returns>Null when it was not approved.</returns>
    /// <exception cref="MoltException"><c>ExportExists</c>, <c>ExportNotWritable</c>, and those of a restore and of pg_dump.</exception>
    public static async Task<ExportResult?> RunAsync(IReadOnlyList<(IBackupStore Store, string Name)> copies, RestoreOptions options, string destination, bool force, Func<RestorePlan, Task<bool>> approve, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        ExportFile.CheckPlace(destination, force);
        var scratch = "molt_export_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        var restored = await RestoreOperation.RunAsync(copies, options with { TargetDatabase = scratch, Replace = false, SkipProof = false, Tables = [], NoOwner = false }, approve, observer, cancellationToken).ConfigureAwait(false);
        if (restored is null)
        {
            return null;
        }

        var partial = $"{destination}.{scratch}{ArchiveFormat.PartialExtension}";
        try
        {
            var bytes = await DumpAsync(options, scratch, partial, observer, cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            File.Move(partial, destination, force);
            FolderSync.Sync(Path.GetDirectoryName(destination)!);
            return new ExportResult(destination, ExportForm.Sql, restored.BackupId, options.Backup?.Database ?? "", restored.StateOf, bytes, options.Backup?.Encrypted == true, clock.Elapsed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ExportFile.NotWritable(destination, e);
        }
        finally
        {
            Delete(partial, observer);
            await DropAsync(options, scratch, observer).ConfigureAwait(false);
        }
    }

    private static async Task<long> DumpAsync(RestoreOptions options, string scratch, string path, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var (session, server) = await ServerConnector.OpenAsync(options.Connection.WithDatabase(scratch), new SessionOptions("export"), cancellationToken).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        await using (session.ConfigureAwait(false))
        {
            var tools = ClientTools.Find(server.Version.Major, options.ClientToolFolder);
            var environment = server.ChildEnvironment("export", SessionSettings.ChildOptions(server.Version.Major));
            var dump = ChildProgram.Start(tools.PgDump, ["--format=plain", "--no-password", "--dbname=" + server.ChildDatabase()], environment, observer, redirectInput: false, cancellationToken);
            await using (dump.ConfigureAwait(false))
            {
                var file = ExportFile.Create(path);
                await using (file.ConfigureAwait(false))
                {
                    var zip = new GZipStream(file, CompressionLevel.Optimal, leaveOpen: true);
                    await using (zip.ConfigureAwait(false))
                    {
                        var buffer = new byte[1 << 18];
                        long total = 0;
                        while (await dump.Output.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var n)
                        {
                            await zip.WriteAsync(buffer.AsMemory(0, n), cancellationToken).ConfigureAwait(false);
                            total += n;
                            observer.Progress(new OperationProgress($"Exporting to {Path.GetFileName(path)}", string.Create(CultureInfo.InvariantCulture, $"{total / 1e6:N0} MB of SQL"), null, null));
                        }
                    }

                    await dump.CompleteAsync(cancellationToken).ConfigureAwait(false);
                    await file.FlushAsync(cancellationToken).ConfigureAwait(false);
                    file.Flush(flushToDisk: true);
                    return file.Length;
                }
            }
        }
    }

    private static void Delete(string partial, IOperationObserver observer)
    {
        try
        {
            File.Delete(partial);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            observer.Warning($"{partial} could not be removed ({e.Message}); it holds data in plain text. Remove it by hand.");
        }
    }

    private static async Task DropAsync(RestoreOptions options, string scratch, IOperationObserver observer)
    {
        using var time = new CancellationTokenSource(s_cleanUpTime);
        try
        {
            var (admin, server) = await MaintenanceSession.OpenAsync(options.Connection, scratch, "export clean-up", time.Token).ConfigureAwait(false);
            await using (server.ConfigureAwait(false))
            await using (admin.ConfigureAwait(false))
            {
                await DatabaseCatalog.ExecuteAsync(admin, "SET default_transaction_read_only = off", time.Token).ConfigureAwait(false);
                if (await DatabaseCatalog.ScalarAsync<bool>(admin, $"SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {SqlName.Literal(scratch)} AND datistemplate)", time.Token).ConfigureAwait(false))
                {
                    await DatabaseCatalog.ExecuteAsync(admin, $"ALTER DATABASE {SqlName.Quote(scratch)} IS_TEMPLATE false", time.Token).ConfigureAwait(false);
                }

                await DatabaseCatalog.ExecuteAsync(admin, $"DROP DATABASE IF EXISTS {SqlName.Quote(scratch)}{(server.Version.Major >= 13 ? " WITH (FORCE)" : "")}", time.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is MoltException or NpgsqlException or OperationCanceledException or InvalidOperationException)
        {
            observer.Warning($"The database that was made for the export could not be dropped ({e.Message}): DROP DATABASE {SqlName.Quote(scratch)}.");
        }
    }
}
