using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace MoltBeat.DR.Help;

/// <summary>
/// The help files as they should be. People write the sentences in the pages; syntax, types and positions come from the
/// cmdlets themselves, into the pages as well as into the MAML that Get-Help reads.
/// </summary>
public static class HelpFiles
{
    public const string Maml = "MoltBeat.DR.dll-Help.xml";

    /// <param name="manifest">The built module's manifest.</param>
    /// <param name="pages">Folder with one page for each cmdlet, <c>Verb-Noun.md</c>.</param>
    /// <param name="output">Folder of the MAML.</param>
    /// <returns>Paths and texts of the pages and of the MAML.</returns>
    /// <exception cref="HelpException">A cmdlet has no page, a page no cmdlet, or a parameter no description.</exception>
    public static IReadOnlyList<(string Path, string Text)> Make(string manifest, string pages, string output)
    {
        using var runspace = RunspaceFactory.CreateRunspace(InitialSessionState.CreateDefault2());
        runspace.Open();
        using var powerShell = PowerShell.Create(runspace);
        var cmdlets = powerShell
            .AddScript("param($Manifest) (Import-Module $Manifest -PassThru -ErrorAction Stop).ExportedCmdlets.Values").AddParameter("Manifest", Path.GetFullPath(manifest))
            .Invoke<CmdletInfo>().OrderBy(c => c.Name, StringComparer.Ordinal).ToList();
        var left = Directory.GetFiles(pages, "*.md").Select(p => Path.GetFileNameWithoutExtension(p)!).Except(cmdlets.Select(c => c.Name)).ToList();
        if (left.Count > 0)
        {
            throw new HelpException($"There is no cmdlet {string.Join(", ", left)}, but a page in {pages}.");
        }

        var files = new List<(string, string)>();
        var maml = new MamlDocument();
        foreach (var cmdlet in cmdlets)
        {
            var path = Path.Combine(pages, cmdlet.Name + ".md");
            var syntax = new CmdletSyntax(cmdlet);
            var page = HelpPage.Read(File.Exists(path) ? File.ReadAllText(path) : throw new HelpException($"{path} is missing."), path);
            page.Check(syntax);
            files.Add((path, page.ToMarkdown(syntax)));
            maml.Add(page, syntax);
        }

        files.Add((Path.Combine(output, Maml), maml.ToString()));
        return files;
    }
}
