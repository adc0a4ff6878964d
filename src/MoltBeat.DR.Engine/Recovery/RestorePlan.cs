using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
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

    /// <summary>It is there, empty, and will be replaced.</summary>
    public required bool TargetExists { get; init; }

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

    internal ClientTools Tools { get; }

    /// <summary>Null when all tables are restored.</summary>
    internal ChosenTables? Chosen { get; private init; }

    internal RestorePreflight Preflight { get; }

    /// <summary>Makes the missing roles; empty when there are none.</summary>
    internal IReadOnlyList<string> RoleStatements { get; private init; } = [];

    /// <summary>How long it took to make the plan.</summary>
    internal TimeSpan Took { get; private init; }

    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{Rows:N0} rows of {Tables} tables ({Bytes / 1e6:N1} MB), owner {Owner}, encoding {Encoding}")
            + (TargetExists ? ", in place of the empty database of that name" : "")
            + (RolesToCreate.Count > 0 ? $"; create the roles {string.Join(", ", RolesToCreate)}" : "");

    /// <exception cref="MoltException">Whatever would make the restore fail before it has made anything.</exception>
    internal static async Task<RestorePlan> MakeAsync(ArchiveReader archive, Contents contents, PinnedServer server, NpgsqlConnection admin, RestoreOptions options, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var tools = ClientTools.Find(DumpFile.MajorOf(archive.Manifest.Tools.PgDump), options.ClientToolFolder);
        var chosen = options.Tables.Count > 0 ? ChosenTables.Of(contents, options.Tables) : null;
        var preflight = await RestorePreflight.RunAsync(server, admin, archive.Manifest, contents, options, cancellationToken).ConfigureAwait(false);
        List<string> statements = [];
        List<string> roles = [];
        if (preflight.RolesToMake.Count > 0)
        {
            var globals = await archive.ReadDescriptionAsync(ArchiveFormat.Globals, cancellationToken).ConfigureAwait(false);
            (statements, roles) = RoleScript.For(System.Text.Encoding.UTF8.GetString(globals.Span), preflight.RolesToMake, preflight.RolesPresent);
        }

        IReadOnlyList<TableContents> tables = (IReadOnlyList<TableContents>?)chosen?.Rows ?? contents.Tables;
        return new RestorePlan(tools, preflight)
        {
            Database = options.TargetDatabase,
            TargetExists = preflight.TargetExists,
            Owner = options.NoOwner ? preflight.Role : contents.Database.Owner,
            Encoding = contents.Database.Encoding,
            StateOf = archive.Manifest.Created,
            Tables = tables.Count,
            Rows = tables.Sum(t => t.Rows),
            Bytes = tables.Sum(t => t.RawBytes),
            RolesToCreate = roles,
            Chosen = chosen,
            RoleStatements = statements,
            Took = clock.Elapsed,
        };
    }
}
