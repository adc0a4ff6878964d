using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>Runs pg_restore into the database that is being made. Any error of it ends the restore.</summary>
internal sealed class PgRestore(ClientTools tools, PinnedServer target, DumpFile dump, RestoreOptions options, IOperationObserver observer)
{
    /// <param name="section">pre-data, data or post-data.</param>
    /// <param name="jobs">Connections.</param>
    /// <param name="entries">Only these entries; null for the whole section.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <param name="settings">More start-up options of its sessions.</param>
    /// <exception cref="MoltException"><c>RestoreFailed</c>, with the statement that failed.</exception>
    public async Task RunAsync(string section, int jobs, IReadOnlyCollection<DumpEntry>? entries, CancellationToken cancellationToken, string settings = "")
    {
        if (entries is { Count: 0 })
        {
            return;
        }

        var arguments = new List<string> { "--section=" + section, "--exit-on-error", "--no-password", "--dbname=" + target.ChildDatabase() };
        if (jobs > 1 && dump.IsSeekable)
        {
            arguments.Add($"--jobs={jobs}");
        }

        if (options.NoOwner)
        {
            arguments.AddRange(["--no-owner", "--no-acl"]);
        }

        if (options.NoTablespaces)
        {
            arguments.Add("--no-tablespaces");
        }

        ScratchFile? list = null;
        try
        {
            if (entries is not null)
            {
                list = ScratchFile.CreateInMemory();
                // Numbers alone: the file may lie on a disk, and names are among what is encrypted.
                await list.Stream.WriteAsync(Encoding.ASCII.GetBytes(string.Concat(entries.Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.Id};\n")))), cancellationToken).ConfigureAwait(false);
                await list.Stream.FlushAsync(cancellationToken).ConfigureAwait(false);
                arguments.Add("--use-list=" + list.Path);
            }

            var environment = target.ChildEnvironment("restore", SessionSettings.ChildOptions(target.Version.Major) + " -c synchronous_commit=off" + settings);
            await dump.RunAsync(tools, arguments, environment, observer, 1 << 20, cancellationToken).ConfigureAwait(false);
        }
        catch (MoltException e) when (e.Id == "ChildProgramFailed")
        {
            throw new MoltException("RestoreFailed", ErrorKind.Failed, $"Restoring the {section} section failed: {e.Message}",
                "Mend what the statement named needs, and restore again; -KeepFailed leaves the half-made database to look at.", options.TargetDatabase, e);
        }
        finally
        {
            if (list is not null)
            {
                await list.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}
