using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Backup;

/// <summary>
/// Makes one archive of one database: everything in it shows the same instant, and it is either whole under its name or
/// not there at all.
/// </summary>
public sealed class BackupOperation
{
    private const int Attempts = 5;

    private readonly BackupOptions options;
    private readonly IOperationObserver observer;
    private readonly PinnedServer server;
    private readonly SnapshotSession session;
    private readonly ClientTools tools;
    private readonly TableSelection selection;
    private readonly DatabaseProperties properties;

    private BackupOperation(BackupOptions options, IOperationObserver observer, PinnedServer server, SnapshotSession session,
        ClientTools tools, TableSelection selection, DatabaseProperties properties)
    {
        this.options = options;
        this.observer = observer;
        this.server = server;
        this.session = session;
        this.tools = tools;
        this.selection = selection;
        this.properties = properties;
    }

    /// <summary>Backs up.</summary>
    /// <param name="options">What, where to and how.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="onProblem">Is told of something that is wrong although the backup was made: <c>ClockBackwards</c>, and each store that has no copy.</param>
    /// <param name="cancellationToken">Stops it; nothing of it is left then.</param>
    /// <exception cref="MoltException">See docs/errors.md for the ids.</exception>
    public static async Task<BackupInfo> RunAsync(BackupOptions options, IOperationObserver observer, Action<MoltException> onProblem, CancellationToken cancellationToken)
        => (await RunAsync(options, null, observer, onProblem, cancellationToken).ConfigureAwait(false))!;

    /// <summary>As the other, but looks first; until what it has found is approved nothing is changed anywhere, and nothing locked.</summary>
    /// <returns>Null when it was not approved.</returns>
    /// <inheritdoc cref="RunAsync(BackupOptions, IOperationObserver, Action{MoltException}, CancellationToken)"/>
    public static async Task<BackupInfo?> RunAsync(BackupOptions options, Func<BackupPreview, Task<bool>>? approve, IOperationObserver observer, Action<MoltException> onProblem, CancellationToken cancellationToken)
    {
        foreach (var warning in options.Connection.Warnings)
        {
            observer.Warning(warning);
        }

        await PrepareAsync(options, cancellationToken).ConfigureAwait(false);
        using var destinations = await BackupDestinations.OpenAsync(options.Destinations, options.MinimumCopies, observer, cancellationToken).ConfigureAwait(false);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryAsync(destinations, options, attempt == 1 ? approve : null, observer, onProblem, cancellationToken).ConfigureAwait(false);
            }
            catch (EntangledException) when (attempt < Attempts)
            {
                observer.Verbose("Somebody waits for a table to be free of this backup, and pg_dump waits for him: beginning anew.");
            }
            catch (EntangledException e)
            {
                throw new MoltException("TablesKeepChanging", ErrorKind.Busy,
                    string.Create(CultureInfo.InvariantCulture, $"In each of {Attempts} attempts somebody wanted a table of {options.Connection.Database} for himself while the backup began, the last time server process {e.Process}."),
                    "Run the backup when no migration is running, and nothing truncates tables every second.", options.Connection.Database);
            }
        }
    }

    private static async Task<BackupInfo?> TryAsync(BackupDestinations destinations, BackupOptions options, Func<BackupPreview, Task<bool>>? approve, IOperationObserver observer, Action<MoltException> onProblem, CancellationToken cancellationToken)
    {
        var (connection, server) = await ServerConnector.OpenAsync(options.Connection, new SessionOptions("backup"), cancellationToken).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        {
            try
            {
                SnapshotSession.RefuseTooOld(server.Version, options.Connection.Database);
                if (ByteText.EncodingFor((await DatabaseCatalog.ScalarAsync<string>(connection, "SHOW server_encoding", cancellationToken).ConfigureAwait(false))!) is { } bytes)
                {
                    await connection.DisposeAsync().ConfigureAwait(false);
                    connection = await server.OpenAsync(new SessionOptions("backup").In(bytes), cancellationToken).ConfigureAwait(false);
                }

                await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(server.Version.Major * 10000, options.LockTimeout), cancellationToken).ConfigureAwait(false);
                await Pooler.RefuseTransactionPoolingAsync(server, connection, cancellationToken).ConfigureAwait(false);
                var tools = ClientTools.Find(server.Version.Major, options.ClientToolFolder);
                if (approve is not null && !await approve(await BackupPreview.MakeAsync(connection, tools, destinations.Locations, options, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false))
                {
                    destinations.ReportFailures(onProblem);
                    return null;
                }

                var session = await SnapshotSession.StartAsync(connection, options.LockTimeout, options.ExcludeTables, cancellationToken).ConfigureAwait(false);
                await using (session.ConfigureAwait(false))
                {
                    var properties = await DatabaseCatalog.PropertiesAsync(session.Connection, cancellationToken).ConfigureAwait(false);
                    var selection = await TableSelection.MakeAsync(session.Connection, session.Tables, session.InRecovery, properties.Encoding, options, cancellationToken).ConfigureAwait(false);
                    var operation = new BackupOperation(options, observer, server, session, tools, selection, properties);
                    await operation.WriteAsync(destinations, cancellationToken).ConfigureAwait(false);
                }

                // What is still on its way to other stores needs the database no more.
                return await destinations.FinishAsync($"Backing up {options.Connection.Database}", observer, onProblem, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (ServerErrors.Translate(e, $"Backing up {options.Connection.Database}", options.Connection.Database) is { } translated)
            {
                throw translated;
            }
            finally
            {
                await connection.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task WriteAsync(BackupDestinations destinations, CancellationToken cancellationToken)
    {
        var prefix = ArchiveFormat.SafeName(properties.Name, 100) + "_backup_";
        await destinations.SweepAsync(prefix, observer, cancellationToken).ConfigureAwait(false);
        var name = prefix + session.Taken.UtcDateTime.ToString("yyyyMMdd_HHmmss", CultureInfo.InvariantCulture) + ArchiveFormat.Extension;
        var output = await destinations.CreateAsync(name, new NewArchive(session.Taken, selection.Copied.Sum(t => t.Bytes) + options.Captures.Sum(c => c.ExpectedBytes)), cancellationToken).ConfigureAwait(false);
        var archive = new ArchiveWriter(output, session.Taken, options.Seal) { CompressionLevel = options.CompressionLevel };
        await using (archive.ConfigureAwait(false))
        {
            await FillAsync(archive, name, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task FillAsync(ArchiveWriter archive, string name, CancellationToken cancellationToken)
    {
        var id = Guid.NewGuid().ToString("N");
        var version = server.Version.ToString();
        var tables = selection.Copied.Select(t => (Table: t, Format: options.TextRows ? RowFormat.Text : t.Format)).ToList();
        var recipients = options.Seal?.Recipients ?? [];
        await archive.AddAsync(ArchiveFormat.Readme, StockTools.Readme(name, id, properties, version, session.Taken, recipients, [.. options.Captures.Select(c => c.Kind).Distinct()]), cancellationToken).ConfigureAwait(false);
        var details = StockTools.RestoreDetails(properties, session.ServerVersion, tables);
        await archive.AddAsync(ArchiveFormat.RestoreScript, StockTools.RestoreScript(details, archive.Encrypts), cancellationToken, executable: true).ConfigureAwait(false);
        string? canary = null;
        if (archive.Encrypts)
        {
            await archive.AddAsync(ArchiveFormat.RestoreDetails, details, cancellationToken).ConfigureAwait(false);
            var text = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64, lowercase: true) + "\n");
            await archive.AddAsync(ArchiveFormat.Canary, text, cancellationToken).ConfigureAwait(false);
            canary = Convert.ToHexStringLower(SHA256.HashData(text));
        }

        var ranges = TableRange.Plan(selection.Copied, options.Jobs, session.ServerVersion, options.RangeBytes);
        var progress = new BackupProgress($"Backing up {properties.Name}", ranges.Sum(r => r.Bytes), observer);
        List<TableWriter> writers = [];
        var contents = new Contents
        {
            Database = properties,
            Roles = await DatabaseCatalog.RolesAsync(session.Connection, properties.Encoding, cancellationToken).ConfigureAwait(false),
            Extensions = await DatabaseCatalog.ExtensionsAsync(session.Connection, cancellationToken).ConfigureAwait(false),
            Tablespaces = await DatabaseCatalog.TablespacesAsync(session.Connection, properties.Encoding, cancellationToken).ConfigureAwait(false),
            LeftToPgDump = selection.LeftToPgDump,
            Tables = [],
        };
        var passwords = await DatabaseCatalog.ScalarAsync<bool>(session.Connection, "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')", cancellationToken).ConfigureAwait(false);
        if (!passwords)
        {
            selection.Notes.Add("globals.sql.zst has no passwords of roles: the role that backed up may not read them.");
        }

        var largeObjects = await DatabaseCatalog.ScalarAsync<bool>(session.Connection, "SELECT has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')", cancellationToken).ConfigureAwait(false);
        var dumpArguments = await DumpArgumentsAsync(cancellationToken).ConfigureAwait(false);
        var holder = await DatabaseCatalog.ScalarAsync<int>(session.Connection, "SELECT pg_backend_pid()", cancellationToken).ConfigureAwait(false);
        RowProof? largeObjectProof = null;
        await RunTogether.RunAsync(cancellationToken, stop =>
        {
            var queue = new Queue<TableRange>(ranges);
            var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var dumped = DumpAsync(archive, dumpArguments, passwords, progress, started, stop);
            writers = tables.Select((t, i) => new TableWriter(archive, t.Table, t.Format, i + 1, options.CompressionLevel, dumped, progress.Add) { PartBytes = options.PartBytes, PartBufferBytes = options.PartBytes + ArchiveFormat.PartBufferSlack }).ToList();
            var byTable = writers.ToDictionary(w => w.Table);
            var jobs = new List<Task> { dumped, WatchLocksAsync(holder, started.Task, stop) };
            for (var i = 0; i < Math.Min(options.Jobs, Math.Max(ranges.Count, 1)); i++)
            {
                jobs.Add(Task.Run(() => ReadRowsAsync(queue, byTable, progress, stop), stop));
            }

            if (largeObjects)
            {
                jobs.Add(Task.Run(async () => largeObjectProof = await DigestLargeObjectsAsync(stop).ConfigureAwait(false), stop));
            }

            return jobs;
        }).ConfigureAwait(false);

        await session.ReleaseAsync(cancellationToken).ConfigureAwait(false);

        // What lies beside the database is taken now: the archive has one writer, and a folder that streams into it while rows
        // wait would hold the snapshot, and with it vacuum and migrations, for as long as the folder takes. Nor could it be
        // better in step with the snapshot: what the rows refer to (an uploaded file) was there before them, and is here
        // as well unless it was removed since; taken before the snapshot, files of the newest rows would be missing.
        var extras = await CaptureAsync(archive, cancellationToken).ConfigureAwait(false);
        contents = contents with { Tables = writers.Select(w => w.Describe()).ToList(), LargeObjects = largeObjectProof, Extras = extras };
        await archive.AddAsync(ArchiveFormat.Contents, Compress(JsonSerializer.SerializeToUtf8Bytes(contents, ArchiveJson.Default.Contents)), cancellationToken).ConfigureAwait(false);
        await archive.CompleteAsync(members => new Manifest
        {
            FormatVersion = ArchiveFormat.Version,
            Id = id,
            Kind = options.Kind,
            Database = properties.Name,
            Created = session.Taken,
            Completed = DateTimeOffset.UtcNow,
            Server = new ServerInfo
            {
                Version = version,
                VersionNumber = session.ServerVersion,
                SystemIdentifier = session.SystemIdentifier,
                InRecovery = session.InRecovery,
                Lsn = session.Lsn,
            },
            Tools = new ToolInfo(typeof(BackupOperation).Assembly.GetName().Version!.ToString(3), tools.Version),
            Rows = contents.Tables.Sum(t => t.Rows),
            Tables = contents.Tables.Count,
            RawBytes = contents.Tables.Sum(t => t.RawBytes),
            ExcludedTables = selection.Excluded.Select(t => ByteText.Shown(t.ToString(), properties.Encoding)).ToList(),
            ExcludedTableData = selection.WithoutRows.Select(t => ByteText.Shown(t.ToString(), properties.Encoding)).ToList(),
            Notes = [.. selection.Notes, .. extras.SelectMany(NotesOf)],
            Extras = [.. extras.Where(e => e.Missing is null).Select(e => new ExtraInfo(e.Kind, e.Name, e.Items))],
            Name = name,
            Recipients = recipients,
            Canary = canary,
            Members = members,
        }, cancellationToken, options.Signer).ConfigureAwait(false);
    }

    private async Task<List<ExtraContents>> CaptureAsync(ArchiveWriter archive, CancellationToken cancellationToken)
    {
        var extras = new List<ExtraContents>();
        foreach (var capture in options.Captures)
        {
            observer.Progress(new OperationProgress($"Backing up {properties.Name}", $"{capture.Kind} {capture.Name}", null, null));
            var extra = await capture.CaptureAsync(archive, observer, cancellationToken).ConfigureAwait(false);
            foreach (var note in extra.Notes)
            {
                observer.Warning($"{extra}: {note}.");
            }

            extras.Add(extra);
        }

        return extras;
    }

    // The manifest is never encrypted: names of files stay in the contents.
    private static IEnumerable<string> NotesOf(ExtraContents extra)
        => extra.Missing is { } why ? [$"{extra} is not in this backup: {why}"]
            : extra.Notes.Count > 0 ? [$"{extra} was not at rest, or not all of it can be backed up: the contents say more, and so does a restore."] : [];

    /// <summary>Looks whether all that is to be taken along can be, before any work is done.</summary>
    private static async Task PrepareAsync(BackupOptions options, CancellationToken cancellationToken)
    {
        var names = new HashSet<(ExtraKind, string)>();
        var context = new CaptureContext(options.Seal is not null, [.. options.Destinations.Select(d => d.Folder).OfType<string>()]);
        foreach (var capture in options.Captures)
        {
            if (!names.Add((capture.Kind, ExtraNames.Safe(capture.Name).ToUpperInvariant())))
            {
                throw new MoltException("ExtraTwice", ErrorKind.InvalidArgument, $"Two of what the backup takes along are called {capture.Kind} {capture.Name}, or nearly so.",
                    "Give each a name of its own, of ASCII letters and digits.", capture.Name);
            }

            await capture.PrepareAsync(context, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>globals and database.dump: first in the archive, while the readers fill their first parts.</summary>
    private async Task DumpAsync(ArchiveWriter archive, List<string> dumpArguments, bool passwords, BackupProgress progress, TaskCompletionSource started, CancellationToken cancellationToken)
    {
        var environment = server.ChildEnvironment("backup", SessionSettings.ChildOptions(server.Version.Major));
        var dump = ChildProgram.Start(tools.PgDump, dumpArguments, environment, observer, redirectInput: false, cancellationToken);
        await using (dump.ConfigureAwait(false))
        {
            string[] globalsArguments = ["--globals-only", "--no-password", "--encoding=UTF8", "--database=" + server.ChildDatabase(), .. passwords ? Array.Empty<string>() : ["--no-role-passwords"]];
            var globals = await ChildProgram.CaptureAsync(tools.PgDumpAll, globalsArguments, environment, observer, ArchiveFormat.MaxDescriptionBytes, cancellationToken).ConfigureAwait(false);
            await archive.AddAsync(ArchiveFormat.Globals, Compress(Encoding.UTF8.GetBytes(globals)), cancellationToken).ConfigureAwait(false);

            using var member = await archive.OpenAsync(ArchiveFormat.DatabaseDump, cancellationToken).ConfigureAwait(false);
            var buffer = new byte[1 << 17];
            var n = await dump.Output.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            started.SetResult(); // what pg_dump writes, it writes when it has all its locks
            await member.WriteAsync(buffer.AsMemory(0, n), cancellationToken).ConfigureAwait(false);
            while ((n = await dump.Output.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                await member.WriteAsync(buffer.AsMemory(0, n), cancellationToken).ConfigureAwait(false);
                progress.Dumped(n);
            }

            await dump.CompleteAsync(cancellationToken).ConfigureAwait(false);
            await member.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task WatchLocksAsync(int holder, Task dumpStarted, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var watch = LockWatch.WatchAsync(server, holder, stop.Token);
        if (await Task.WhenAny(watch, dumpStarted).ConfigureAwait(false) != watch)
        {
            await stop.CancelAsync().ConfigureAwait(false);
        }

        try
        {
            await watch.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // pg_dump has its locks: nothing is left to watch for.
        }
    }

    private async Task<List<string>> DumpArgumentsAsync(CancellationToken cancellationToken)
    {
        Task<List<string>> PatternsAsync(IEnumerable<SourceTable> tables) => TablePatterns.ForPgDumpAsync(session.Connection, properties.Encoding, tables, cancellationToken);
        var arguments = new List<string>
        {
            "--format=custom",
            "--compress=1", // rows of ours are not in it; large objects should not cost a core
            "--no-password",
            "--encoding=" + properties.Encoding, // nothing is converted, whatever the role's client_encoding
            "--snapshot=" + session.Snapshot,
            string.Create(CultureInfo.InvariantCulture, $"--lock-wait-timeout={(long)options.LockTimeout.TotalMilliseconds}"),
            "--dbname=" + server.ChildDatabase(),
        };
        arguments.AddRange((await PatternsAsync(selection.Excluded).ConfigureAwait(false)).Select(p => "--exclude-table=" + p));
        arguments.AddRange((await PatternsAsync(selection.Copied.Concat(selection.WithoutRows)).ConfigureAwait(false)).Select(p => "--exclude-table-data=" + p));
        if (session.InRecovery)
        {
            arguments.Add("--no-unlogged-table-data");
        }

        return arguments;
    }

    private async Task ReadRowsAsync(Queue<TableRange> queue, Dictionary<SourceTable, TableWriter> writers, BackupProgress progress, CancellationToken cancellationToken)
    {
        var connection = await server.OpenAsync(new SessionOptions("backup reader", ReadBufferBytes: 1 << 16).In(properties.Encoding), cancellationToken).ConfigureAwait(false);
        var reader = await SnapshotReader.JoinAsync(session, connection, properties.Encoding, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            while (true)
            {
                TableRange? range;
                lock (queue)
                {
                    if (!queue.TryDequeue(out range))
                    {
                        return;
                    }
                }

                var writer = writers[range.Table];
                try
                {
                    await reader.ReadAsync(range, writer.Format, copy => writer.WriteAsync(copy, cancellationToken), cancellationToken).ConfigureAwait(false);
                }
                catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Reading {range.Table.QuotedName}", range.Table.QuotedName) is { } translated)
                {
                    throw translated;
                }

                progress.RangeDone(range.Bytes);
            }
        }
    }

    private async Task<RowProof> DigestLargeObjectsAsync(CancellationToken cancellationToken)
    {
        var connection = await server.OpenAsync(new SessionOptions("backup reader", ReadBufferBytes: 1 << 16).In(properties.Encoding), cancellationToken).ConfigureAwait(false);
        var reader = await SnapshotReader.JoinAsync(session, connection, properties.Encoding, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            return await LargeObjects.DigestAsync(reader.Connection, cancellationToken).ConfigureAwait(false);
        }
    }

    private byte[] Compress(byte[] bytes)
    {
        using var compressor = new Compressor(options.CompressionLevel);
        compressor.SetParameter(ZstdSharp.Unsafe.ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        return compressor.Wrap(bytes).ToArray();
    }
}
