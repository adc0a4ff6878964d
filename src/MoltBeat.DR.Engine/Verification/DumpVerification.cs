using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Verification;

/// <summary>Looks what can be said of a dump of stock tools, and says what cannot.</summary>
public static class DumpVerification
{
    private const string ReadProves = "It decrypts and decompresses to its end, its checksums agree, and it ends as pg_dump ends a dump. A byte that was changed before it was compressed is not found.";
    private const string ListProves = "pg_restore reads its table of contents. Of the rows nothing is read.";
    private const string ArchiveProves = "pg_restore reads all of it to its end. Where it is not compressed, a changed byte of a row is not found.";
    private const string RowsProves = "The rows are the ones that were backed up.";

    /// <summary>Verifies what is there: an archive, or a dump.</summary>
    /// <remarks>As of <see cref="VerificationOperation.RunAsync"/>. A dump's result is not kept beside it.</remarks>
    public static async Task<VerificationResult> RunAnyAsync(IBackupStore store, string name, VerificationOptions options, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var source = await DumpCatalog.OpenAsync(store, name, options.Access?.Opener, cancellationToken).ConfigureAwait(false);
        if (source is null)
        {
            return await VerificationOperation.RunAsync(store, name, options, observer, cancellationToken).ConfigureAwait(false);
        }

        await using (source.ConfigureAwait(false))
        {
            var clock = Stopwatch.StartNew();
            var info = DumpCatalog.Describe(source, store, name);
            var checks = new List<VerificationCheck>
            {
                Check("Size", source.Length >= options.MinimumSize, "It is no smaller than a backup of this database should be.",
                    string.Create(CultureInfo.InvariantCulture, $"{source.Length:N0} bytes, at least {options.MinimumSize:N0} wanted")),
                Age(info, options),
            };
            checks.AddRange(await ContentAsync(source, options, observer, cancellationToken).ConfigureAwait(false));
            return new VerificationResult(name, source.Location, info.Id, info.Database, options.Level, checks, DateTimeOffset.UtcNow, clock.Elapsed);
        }
    }

    private static VerificationCheck Age(BackupInfo info, VerificationOptions options)
    {
        var age = DateTimeOffset.UtcNow - info.Created;
        return Check("Age", age >= -BackupCatalog.ClockTolerance && (options.MaxAge is not { } most || age <= most), "It is recent enough, as far as its name or the file's time tells.",
            string.Create(CultureInfo.InvariantCulture, $"{info.Created.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, {age.TotalHours:N1} hours ago. {info.Notes[0]}"));
    }

    private static async Task<List<VerificationCheck>> ContentAsync(DumpSource source, VerificationOptions options, IOperationObserver observer, CancellationToken cancellationToken)
    {
        void Report(long bytes) => observer.Progress(new OperationProgress($"Verifying {Path.GetFileName(source.Location)}", string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N0} MB"), null, null));
        var checks = new List<VerificationCheck>();
        try
        {
            DumpScanner? scanner = null;
            if (source.Format == BackupFormat.Sql)
            {
                var sql = await source.OpenAsync(cancellationToken).ConfigureAwait(false);
                await using (sql.ConfigureAwait(false))
                {
                    if (source.Format == BackupFormat.Sql)
                    {
                        scanner = await DumpReader.ScanAsync(sql, source.Location, null, Report, cancellationToken).ConfigureAwait(false);
                        checks.Add(Check("Dump", scanner.IsComplete, ReadProves, scanner.IsComplete ? Found(scanner) : "it does not end as pg_dump ends a dump: it was cut short, or something else wrote it"));
                    }
                }
            }

            if (source.Format != BackupFormat.Sql)
            {
                scanner = await ArchiveAsync(source, options, checks, observer, Report, cancellationToken).ConfigureAwait(false);
            }

            if (options.Level == VerificationLevel.Full)
            {
                checks.Add(new VerificationCheck("Rows", CheckStatus.Skipped, RowsProves, "a dump has no digests of its rows: only a backup of this module can be held against its source"));
            }
        }
        catch (MoltException e) when (e.Id is "PrivateKeyNeeded" or "PrivateKeyMissing" or "PassphraseMissing" or "PassphraseWrong" or "GpgMissing" or "EncryptionNotSupported")
        {
            checks.Add(new VerificationCheck("Dump", options.Level == VerificationLevel.Quick ? CheckStatus.Skipped : CheckStatus.Failed, ReadProves, $"it cannot be decrypted here, so nothing is known of what is in it: {e.Message}"));
        }
        catch (MoltException e) when (e.Id is "ClientToolsMissing" or "ClientToolsTooOld")
        {
            checks.Add(new VerificationCheck("Dump", CheckStatus.Skipped, ArchiveProves, e.Message));
        }
        catch (MoltException e) when (e.Id is "DumpDamaged" or "DumpIncomplete" or "NotADump" or "DumpHasCommand" or "DumpNamesDatabase" or "DumpNotSupported" or "MemberTampered" or "MemberNotOpenPgp")
        {
            checks.Add(new VerificationCheck("Dump", CheckStatus.Failed, ReadProves, e.Message));
        }

        return checks;
    }

    private static async Task<DumpScanner?> ArchiveAsync(DumpSource source, VerificationOptions options, List<VerificationCheck> checks, IOperationObserver observer, Action<long> report, CancellationToken cancellationToken)
    {
        var tools = ClientTools.Find(0, options.ClientToolFolder);
        var file = await source.NameAsync(cancellationToken).ConfigureAwait(false);
        await using (file.ConfigureAwait(false))
        {
            if (options.Level == VerificationLevel.Full)
            {
                var scanner = await DumpReader.ScanArchiveAsync(tools, file.Path, source.Location, observer, report, cancellationToken).ConfigureAwait(false);
                checks.Add(Check("Dump", scanner.IsComplete, ArchiveProves, Found(scanner)));
                return scanner;
            }

            try
            {
                var list = await ChildProgram.CaptureAsync(tools.PgRestore, ["--list", file.Path], new Dictionary<string, string>(), observer, 1 << 28, cancellationToken).ConfigureAwait(false);
                checks.Add(Check("Contents", true, ListProves, string.Create(CultureInfo.InvariantCulture, $"pg_restore {tools.Version} lists {list.Split('\n').Count(l => l.Length > 0 && l[0] != ';'):N0} entries")));
            }
            catch (MoltException e) when (e.Id == "ChildProgramFailed")
            {
                checks.Add(Check("Contents", false, ListProves, e.Message));
            }

            return null;
        }
    }

    private static string Found(DumpScanner scanner)
        => string.Create(CultureInfo.InvariantCulture, $"{scanner.Tables.Sum(t => t.Rows):N0} rows of {scanner.Tables.Count:N0} tables in COPY")
            + (scanner.Inserts > 0 ? string.Create(CultureInfo.InvariantCulture, $", {scanner.Inserts:N0} INSERT statements") : "");

    private static VerificationCheck Check(string name, bool passed, string proves, string detail) => new(name, passed ? CheckStatus.Passed : CheckStatus.Failed, proves, detail);
}
