using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Help;

/// <summary>An example: its title, what is typed and shown, and remarks.</summary>
public sealed record HelpExample(string Title, string Code, IReadOnlyList<string> Remarks);

/// <summary>A page in the form of PlatyPS (schema 2.0.0), so that it could be taken over by it.</summary>
public sealed partial class HelpPage
{
    private readonly string path;
    private readonly Dictionary<string, (string Text, string Default)> parameters = new(StringComparer.OrdinalIgnoreCase);

    private HelpPage(string path) => this.path = path;

    public string Synopsis { get; private set; } = "";

    public IReadOnlyList<string> Description { get; private set; } = [];

    public IReadOnlyList<HelpExample> Examples { get; private set; } = [];

    /// <summary>Types with what is said of each.</summary>
    public IReadOnlyList<(string Type, string Text)> Inputs { get; private set; } = [];

    /// <inheritdoc cref="Inputs"/>
    public IReadOnlyList<(string Type, string Text)> Outputs { get; private set; } = [];

    public IReadOnlyList<string> Notes { get; private set; } = [];

    public IReadOnlyList<(string Text, string Uri)> Links { get; private set; } = [];

    /// <exception cref="HelpException">A part is missing.</exception>
    public static HelpPage Read(string markdown, string path)
    {
        var page = new HelpPage(path);
        var sections = Split(markdown.ReplaceLineEndings("\n"), "## ").ToDictionary(s => s.Title, s => s.Body, StringComparer.Ordinal);
        string Section(string title) => sections.TryGetValue(title, out var body) ? body : throw new HelpException($"{path} has no section {title}.");
        page.Synopsis = Section("SYNOPSIS").Trim();
        page.Description = Paragraphs(Section("DESCRIPTION"));
        page.Examples = [.. Split(Section("EXAMPLES"), "### ").Select(e => Example(e.Title, e.Body, path))];
        foreach (var (title, body) in Split(Section("PARAMETERS"), "### ").Where(p => p.Title.StartsWith('-')))
        {
            var yaml = Fence().Match(body);
            var value = yaml.Success ? DefaultValue().Match(yaml.Value) : Match.Empty;
            page.parameters[title[1..].Trim()] = ((yaml.Success ? body[..yaml.Index] : body).Trim(), value.Success ? value.Groups[1].Value.Trim() : "None");
        }

        page.Inputs = [.. Split(Section("INPUTS"), "### ").Select(s => (s.Title, s.Body.Trim()))];
        page.Outputs = [.. Split(Section("OUTPUTS"), "### ").Select(s => (s.Title, s.Body.Trim()))];
        page.Notes = Paragraphs(Section("NOTES"));
        page.Links = [.. Link().Matches(Section("RELATED LINKS")).Select(m => (m.Groups[1].Value, m.Groups[2].Value))];
        return page;
    }

    /// <exception cref="HelpException">The page and the cmdlet do not tell of the same parameters.</exception>
    public void Check(CmdletSyntax syntax)
    {
        var missing = syntax.Parameters.Where(p => ParameterText(p.Name).Length == 0).Select(p => "-" + p.Name).ToList();
        var unknown = parameters.Keys.Except(syntax.Parameters.Select(p => p.Name), StringComparer.OrdinalIgnoreCase).Select(p => "-" + p).ToList();
        if (missing.Count > 0 || unknown.Count > 0 || Synopsis.Length == 0 || Description.Count == 0 || Examples.Count == 0)
        {
            throw new HelpException($"{path}: not described: {string.Join(", ", missing)}; described, but not there: {string.Join(", ", unknown)}. Synopsis, description and an example are wanted too.");
        }
    }

    public string ParameterText(string name) => parameters.TryGetValue(name, out var found) ? found.Text : name switch
    {
        "WhatIf" => "Shows what would be done, and does nothing.",
        "Confirm" => "Asks before anything is done. `-Confirm:$false` goes on without asking.",
        _ => "",
    };

    public string ParameterDefault(string name) => parameters.TryGetValue(name, out var found) ? found.Default : "False";

    /// <summary>The page with its syntax and its parameters' tables as the cmdlet has them.</summary>
    public string ToMarkdown(CmdletSyntax syntax)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            ---
            external help file: {HelpFiles.Maml}
            Module Name: MoltBeat.DR
            online version:
            schema: 2.0.0
            ---

            # {syntax.Name}

            ## SYNOPSIS

            {Synopsis}

            ## SYNTAX

            ```
            {string.Join("\n\n", syntax.Lines().Select(l => Wrapped(l, 110)))}
            ```

            ## DESCRIPTION

            {string.Join("\n\n", Description)}

            ## EXAMPLES


            """);
        foreach (var example in Examples)
        {
            text.Append(CultureInfo.InvariantCulture, $"### {example.Title}\n\n```powershell\n{example.Code}\n```\n\n");
            text.Append(string.Concat(example.Remarks.Select(r => r + "\n\n")));
        }

        text.Append("## PARAMETERS\n\n");
        foreach (var parameter in syntax.Parameters)
        {
            var values = CmdletSyntax.Values(parameter);
            text.Append(CultureInfo.InvariantCulture, $"""
                ### -{parameter.Name}

                {ParameterText(parameter.Name)}

                ```yaml
                Type: {CmdletSyntax.TypeName(parameter.ParameterType)}
                Parameter Sets: (All)
                Aliases: {string.Join(", ", parameter.Aliases)}
                {(values.Count > 0 ? $"Accepted values: {string.Join(", ", values)}\n" : "")}Required: {parameter.IsMandatory}
                Position: {(parameter.Position >= 0 ? parameter.Position : "Named")}
                Default value: {ParameterDefault(parameter.Name)}
                Accept pipeline input: {CmdletSyntax.Pipeline(parameter)}
                Accept wildcard characters: {CmdletSyntax.TakesWildcards(parameter)}
                ```


                """);
        }

        text.Append("### CommonParameters\n\nThis cmdlet supports the common parameters; see about_CommonParameters.\n\n");
        Types("INPUTS", Inputs);
        Types("OUTPUTS", Outputs);
        text.Append(CultureInfo.InvariantCulture, $"## NOTES\n\n{string.Join("\n\n", Notes)}\n\n## RELATED LINKS\n\n{string.Join("\n\n", Links.Select(l => $"[{l.Text}]({l.Uri})"))}\n");
        return TrailingSpaces().Replace(text.ToString(), "");

        void Types(string title, IReadOnlyList<(string Type, string Text)> types)
        {
            text.Append(CultureInfo.InvariantCulture, $"## {title}\n\n");
            text.Append(string.Concat(types.Select(t => $"### {t.Type}\n\n{t.Text}\n\n")));
        }
    }

    private static HelpExample Example(string title, string body, string path)
    {
        var code = Fence().Match(body);
        return code.Success
            ? new HelpExample(title, code.Groups["code"].Value, Paragraphs(body[(code.Index + code.Length)..]))
            : throw new HelpException($"{path}: the example \"{title}\" has no code.");
    }

    // A heading inside a fenced block is none.
    private static IEnumerable<(string Title, string Body)> Split(string text, string mark)
    {
        string? title = null;
        var body = new StringBuilder();
        var fenced = false;
        foreach (var line in text.Split('\n'))
        {
            fenced ^= line.StartsWith("```", StringComparison.Ordinal);
            if (!fenced && line.StartsWith(mark, StringComparison.Ordinal))
            {
                if (title is not null)
                {
                    yield return (title, body.ToString());
                }

                title = line[mark.Length..].Trim();
                body.Clear();
            }
            else
            {
                body.Append(line).Append('\n');
            }
        }

        if (title is not null)
        {
            yield return (title, body.ToString());
        }
    }

    private static IReadOnlyList<string> Paragraphs(string text) =>
        [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

    private static string Wrapped(string line, int width)
    {
        var wrapped = new StringBuilder();
        var column = 0;
        foreach (Match part in SyntaxPart().Matches(line))
        {
            if (column > 0 && column + 1 + part.Length > width)
            {
                wrapped.Append("\n ");
                column = 1;
            }
            else if (column > 0)
            {
                wrapped.Append(' ');
                column++;
            }

            wrapped.Append(part.Value.TrimStart());
            column += part.Length;
        }

        return wrapped.ToString();
    }

    [GeneratedRegex(@"^```[a-z]*\n(?<code>.*?)\n```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^Default value: *(.*)$", RegexOptions.Multiline)]
    private static partial Regex DefaultValue();

    [GeneratedRegex(@"\[([^\]]+)\]\(([^)]*)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"[ ]+$", RegexOptions.Multiline)]
    private static partial Regex TrailingSpaces();

    [GeneratedRegex(@"\[(?:\[[^\]]*\]|[^\[\]])*\]|[^\[\s]\S*(?: <[^>]*>)?")]
    private static partial Regex SyntaxPart();
}
