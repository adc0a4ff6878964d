using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Checks;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>
/// What a restore is going to do. Everything that can stand in its way and be known beforehand has been looked at when
/// there is a plan, and nothing has been changed: whoever makes one has no store, and a session that the server keeps from
/// writing. The dump and the rows themselves are not read.
/// </summary>
public sealed class RestorePlan
{
    private RestorePlan(ClientTools tools, RestorePreflight preflight)
    {
        Tools = tools;
        Preflight = preflight;
    }

    /// <summary>The database to make.</summary>
    public required string Database { get; init; }

    /// <summary>It is there, and will be replaced: an empty one is dropped, any other kept.</summary>
    public required bool TargetExists { get; init; }

    /// <summary>What it holds is put away under another name, which Undo-MoltRestore takes it back from.</summary>
    public bool Replaces { get; private init; }

    /// <summary>Who will own it.</summary>
    public required string Owner { get; init; }

    /// <summary>As the server calls it.</summary>
    public required string Encoding { get; init; }

    /// <summary>The moment whose state it will show, UTC.</summary>
    public required DateTimeOffset StateOf { get; init; }

    /// <summary>Tables whose rows will be loaded from parts.</summary>
    public required int Tables { get; init; }

    public required long Rows { get; init; }

    /// <summary>Bytes of those rows before compression.</summary>
    public required long Bytes { get; init; }

    /// <summary>Roles that are missing and will be made.</summary>
    public required IReadOnlyList<string> RolesToCreate { get; init; }

    /// <summary>What the target holds is replaced within it.</summary>
    public bool InPlace { get; private init; }

    internal ClientTools Tools { get; }

    /// <summary>Null when all tables are restored.</summary>
    internal ChosenTables? Chosen { get; private init; }

    internal RestorePreflight Preflight { get; }

    /// <summary>What the database is to be like.</summary>
    internal DatabaseProperties Properties { get; private init; } = null!;

    /// <summary>What was looked at; none of it fails the restore.</summary>
    public IReadOnlyList<ReadinessCheck> Checks { get; private init; } = [];

    /// <summary>Makes the missing roles; empty when there are none.</summary>
    internal IReadOnlyList<string> RoleStatements { get; private init; } = [];

    /// <summary>How long it took to make the plan.</summary>
    internal TimeSpan Took { get; private init; }

    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Rows:N0} rows of {Tables} tables ({Bytes / 1e6:N1} MB), owner {Owner}, encoding {Encoding}")
            + (InPlace ? "; back up what the database holds now, then drop all of it and restore, in one transaction in which nobody else can read or write" : Replaces ? "; end all sessions in the present database, and keep it under another name" : TargetExists ? ", in place of the empty database of that name" : "")
            + (RolesToCreate.Count > 0 ? $"; create the roles {string.Join(", ", RolesToCreate)}" : "");

    /// <exception cref="MoltException">Whatever would make the restore fail before it has made anything.</exception>
    internal static async Task<RestorePlan> MakeAsync(ArchiveReader archive, Contents contents, PinnedServer server, NpgsqlConnection admin, RestoreOptions options, CancellationToken cancellationToken)
    {
        var report = new ReadinessReport();
        var (plan, _) = await LookAsync(archive, contents, server, admin, options, report, cancellationToken).ConfigureAwait(false);
        report.ThrowIfFailed();
        return plan!;
    }

    /// <summary>Makes the plan, null when anything stands in the way; that is in the report, and not thrown.</summary>
    internal static async Task<(RestorePlan? Plan, RestorePreflight Preflight)> LookAsync(ArchiveReader archive, Contents contents, PinnedServer server, NpgsqlConnection admin, RestoreOptions options, ReadinessReport report, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        ClientTools? tools = null;
        report.Add("ClientTools", () =>
        {
            tools = ClientTools.Find(DumpFile.MajorOf(archive.Manifest.Tools.PgDump), options.ClientToolFolder);
            return Finding.Pass($"pg_restore is in {tools.Folder}");
        });
        ChosenTables? chosen = null;
        if (options.Tables.Count > 0)
        {
            report.Add("Tables", () =>
            {
                chosen = ChosenTables.Of(contents, options.Tables);
                return Finding.Pass(string.Create(CultureInfo.InvariantCulture, $"{chosen.Rows.Count} tables are chosen"));
            });
        }

        var preflight = await RestorePreflight.RunAsync(server, admin, archive.Manifest, contents, options, report, cancellationToken).ConfigureAwait(false);
        List<string> statements = [];
        List<string> roles = [];
        if (preflight.RolesToMake.Count > 0)
        {
            await report.AddAsync("Globals", async () =>
            {
                var globals = await archive.ReadDescriptionAsync(ArchiveFormat.Globals, cancellationToken).ConfigureAwait(false);
                (statements, roles) = RoleScript.For(System.Text.Encoding.UTF8.GetString(globals.Span), preflight.RolesToMake, preflight.RolesPresent);
                return Finding.Pass($"the backup's globals say how to make {string.Join(", ", roles)}");
            }).ConfigureAwait(false);
        }

        if (report.Checks.Any(c => c.Status == ReadinessStatus.Fail))
        {
            return (null, preflight);
        }

        IReadOnlyList<TableContents> tables = (IReadOnlyList<TableContents>?)chosen?.Rows ?? contents.Tables;
        var properties = preflight.Properties(contents, options);
        return (new RestorePlan(tools!, preflight)
        {
            Database = options.TargetDatabase,
            TargetExists = preflight.TargetExists,
            Replaces = options.Replace,
            InPlace = options.InPlace,
            Owner = options.NoOwner && !options.Replace && !options.InPlace ? preflight.Role : properties.Owner,
            Encoding = contents.Database.Encoding,
            StateOf = archive.Manifest.Created,
            Tables = tables.Count,
            Rows = tables.Sum(t => t.Rows),
            Bytes = tables.Sum(t => t.RawBytes),
            RolesToCreate = roles,
            Chosen = chosen,
            RoleStatements = statements,
            Properties = properties,
            Checks = report.Checks,
            Took = clock.Elapsed,
        }, preflight);
    }

    /// <summary>The plan for a dump of stock tools, of which <paramref name="contents"/> says what can be known. Its missing roles are made without the right to log in.</summary>
    internal static async Task<RestorePlan> ForDumpAsync(ClientTools tools, Manifest manifest, Contents contents, PinnedServer server, NpgsqlConnection admin, RestoreOptions options, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var report = new ReadinessReport();
        var preflight = await RestorePreflight.RunAsync(server, admin, manifest, contents, options, report, cancellationToken).ConfigureAwait(false);
        report.ThrowIfFailed();
        var properties = preflight.Properties(contents, options);
        var roles = preflight.RolesToMake.Order(StringComparer.Ordinal).ToList();
        return new RestorePlan(tools, preflight)
        {
            Database = options.TargetDatabase,
            TargetExists = preflight.TargetExists,
            Replaces = options.Replace,
            Owner = properties.Owner,
            Encoding = contents.Database.Encoding,
            StateOf = manifest.Created,
            Tables = contents.Tables.Count,
            Rows = manifest.Rows,
            Bytes = manifest.RawBytes,
            RolesToCreate = roles,
            RoleStatements = roles.ConvertAll(r => $"CREATE ROLE {SqlName.Quote(r)} NOLOGIN"),
            Properties = properties,
            Checks = report.Checks,
            Took = clock.Elapsed,
        };
    }
}
