using System.Management.Automation.Language;
using System.Text.RegularExpressions;
using Xunit;

namespace MoltBeat.DR.Tests;

/// <summary>Scripts and documents of the repository that nothing else runs here.</summary>
public sealed partial class RepositoryTests
{
    private static readonly string[] Generated = ["bin", "obj", "output", "TestResults", ".git"];

    public static TheoryData<string> Scripts => [.. Files("*.ps1").Concat(Files("*.psd1"))];

    [Theory]
    [MemberData(nameof(Scripts))]
    public void A_script_can_be_parsed(string path)
    {
        Parser.ParseFile(Path.Combine(Staged.RepositoryFolder, path), out _, out var errors);
        Assert.Empty(errors.Select(e => $"{path}:{e.Extent.StartLineNumber}: {e.Message}"));
    }

    [Fact]
    public void Every_error_id_is_documented_with_its_category_and_none_that_there_is_not()
    {
        var source = string.Concat(Files("*.cs").Where(f => f.StartsWith("src", StringComparison.Ordinal)).Select(f => File.ReadAllText(Path.Combine(Staged.RepositoryFolder, f))));
        var used = IdAndKind().Matches(source).Select(m => (Id: m.Groups["id"].Value, Kind: m.Groups["kind"].Value))
            .Concat(ChosenId().Matches(source).SelectMany(m => new[] { (Id: m.Groups["a"].Value, Kind: m.Groups["ka"].Value), (Id: m.Groups["b"].Value, Kind: m.Groups["kb"].Value) }))
            .Concat(UnexpectedId().Matches(source).Select(m => (Id: m.Groups["id"].Value, Kind: "")))
            .ToHashSet();
        var page = File.ReadAllText(Path.Combine(Staged.RepositoryFolder, "docs", "errors.md"));
        var documented = Row().Matches(page).Select(m => m.Groups["id"].Value).ToList();
        Assert.Equal(used.Select(u => u.Id).Distinct().Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));

        var categories = Row().Matches(page).ToDictionary(m => m.Groups["id"].Value, m => m.Groups["kind"].Value);
        Assert.Empty(used.Where(u => u.Kind.Length > 0 && categories[u.Id] != u.Kind).Select(u => $"{u.Id} is of kind {u.Kind}"));

        // What throws must give id and kind where they can be read by this test, and by people.
        Assert.DoesNotContain(Thrown().Matches(source).Select(m => m.Value), t => !IdAndKind().IsMatch(t) && !ChosenId().IsMatch(t));
    }

    [Fact]
    public void Links_between_documents_lead_somewhere()
    {
        var dead =
            from file in Files("*.md")
            let full = Path.Combine(Staged.RepositoryFolder, file)
            from Match link in Link().Matches(File.ReadAllText(full))
            let target = link.Groups["target"].Value
            where !target.Contains("://", StringComparison.Ordinal)
            where !Path.Exists(Path.Combine(Path.GetDirectoryName(full)!, target))
            select $"{file}: {target}";
        Assert.Empty(dead);
    }

    private static IEnumerable<string> Files(string pattern) =>
        Directory.EnumerateFiles(Staged.RepositoryFolder, pattern, SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Staged.RepositoryFolder, f))
            .Where(f => !f.Split(Path.DirectorySeparatorChar).Intersect(Generated).Any());

    [GeneratedRegex(@"""(?<id>[A-Z][A-Za-z]+)"",\s*ErrorKind\.(?<kind>[A-Za-z]+)")]
    private static partial Regex IdAndKind();

    [GeneratedRegex(@"\? ""(?<a>[A-Z][A-Za-z]+)"" : ""(?<b>[A-Z][A-Za-z]+)"",[^;]*?\? ErrorKind\.(?<ka>[A-Za-z]+) : ErrorKind\.(?<kb>[A-Za-z]+)")]
    private static partial Regex ChosenId();

    [GeneratedRegex(@"UnexpectedId = ""(?<id>[A-Za-z]+)""")]
    private static partial Regex UnexpectedId();

    [GeneratedRegex(@"new MoltException\([^;]{0,300}")]
    private static partial Regex Thrown();

    [GeneratedRegex(@"^\| `(?<id>[A-Za-z]+)` \| (?<kind>[A-Za-z]+) \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"\]\((?<target>[^)#\s]+)(#[^)]*)?\)")]
    private static partial Regex Link();
}
