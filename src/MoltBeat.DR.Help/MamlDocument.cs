using System.Management.Automation;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace MoltBeat.DR.Help;

/// <summary>The help file that Get-Help reads.</summary>
public sealed class MamlDocument
{
    private static readonly XNamespace Root = "http://msh";
    private static readonly XNamespace Maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace Command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace Dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    private readonly XElement items = new(Root + "helpItems", new XAttribute("schema", "maml"));

    public void Add(HelpPage page, CmdletSyntax syntax) => items.Add(new XElement(Command + "command",
        new XAttribute(XNamespace.Xmlns + "maml", Maml),
        new XAttribute(XNamespace.Xmlns + "command", Command),
        new XAttribute(XNamespace.Xmlns + "dev", Dev),
        new XElement(Command + "details",
            new XElement(Command + "name", syntax.Name),
            new XElement(Command + "verb", syntax.Verb),
            new XElement(Command + "noun", syntax.Noun),
            Description([page.Synopsis])),
        Description(page.Description),
        new XElement(Command + "syntax", syntax.Sets.Select(set => new XElement(Command + "syntaxItem",
            new XElement(Maml + "name", syntax.Name),
            set.Select(p => Parameter(page, p, inSyntax: true))))),
        new XElement(Command + "parameters", syntax.Parameters.OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => Parameter(page, p, inSyntax: false))),
        new XElement(Command + "inputTypes", page.Inputs.Select(t => TypeWithText("inputType", t))),
        new XElement(Command + "returnValues", page.Outputs.Select(t => TypeWithText("returnValue", t))),
        new XElement(Maml + "alertSet", new XElement(Maml + "alert", Paragraphs(page.Notes))),
        new XElement(Command + "examples", page.Examples.Select(e => new XElement(Command + "example",
            new XElement(Maml + "title", $"-------------------------- {e.Title} --------------------------"),
            new XElement(Dev + "code", e.Code),
            new XElement(Dev + "remarks", Paragraphs(e.Remarks))))),
        new XElement(Command + "relatedLinks", page.Links.Select(l => new XElement(Maml + "navigationLink",
            new XElement(Maml + "linkText", l.Text),
            new XElement(Maml + "uri", l.Uri.StartsWith("http", StringComparison.Ordinal) ? l.Uri : ""))))));

    public override string ToString()
    {
        var text = new StringBuilder();
        using (var writer = XmlWriter.Create(text, new XmlWriterSettings { Indent = true, NewLineChars = "\n", OmitXmlDeclaration = true }))
        {
            items.WriteTo(writer);
        }

        return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" + text + "\n";
    }

    private static XElement Parameter(HelpPage page, CommandParameterInfo parameter, bool inSyntax)
    {
        var values = CmdletSyntax.Values(parameter);
        var type = CmdletSyntax.TypeName(parameter.ParameterType);
        return new XElement(Command + "parameter",
            new XAttribute("required", parameter.IsMandatory ? "true" : "false"),
            new XAttribute("variableLength", parameter.ParameterType.IsArray ? "true" : "false"),
            new XAttribute("globbing", CmdletSyntax.TakesWildcards(parameter) ? "true" : "false"),
            new XAttribute("pipelineInput", CmdletSyntax.Pipeline(parameter)),
            new XAttribute("position", parameter.Position >= 0 ? XmlConvert.ToString(parameter.Position) : "named"),
            new XAttribute("aliases", parameter.Aliases.Count > 0 ? string.Join(", ", parameter.Aliases) : "none"),
            new XElement(Maml + "name", parameter.Name),
            Description([page.ParameterText(parameter.Name)]),
            inSyntax && values.Count > 0
                ? new XElement(Command + "parameterValueGroup", values.Select(v => new XElement(Command + "parameterValue",
                    new XAttribute("required", "false"), new XAttribute("variableLength", "false"), v)))
                : null,
            inSyntax && CmdletSyntax.IsSwitch(parameter)
                ? null
                : new XElement(Command + "parameterValue", new XAttribute("required", CmdletSyntax.IsSwitch(parameter) ? "false" : "true"), new XAttribute("variableLength", "false"), type),
            new XElement(Dev + "type", new XElement(Maml + "name", type), new XElement(Maml + "uri")),
            new XElement(Dev + "defaultValue", Plain(page.ParameterDefault(parameter.Name))));
    }

    private static XElement TypeWithText(string name, (string Type, string Text) type) => new(Command + name,
        new XElement(Dev + "type", new XElement(Maml + "name", type.Type)),
        Description([type.Text]));

    private static XElement Description(IEnumerable<string> paragraphs) => new(Maml + "description", Paragraphs(paragraphs));

    private static IEnumerable<XElement> Paragraphs(IEnumerable<string> paragraphs) =>
        paragraphs.Select(p => new XElement(Maml + "para", Plain(p)));

    // On a screen the marks of Markdown are noise, and so are the line ends of the page's own width.
    private static string Plain(string markdown) =>
        markdown.StartsWith("- ", StringComparison.Ordinal)
            ? markdown.Replace("`", "", StringComparison.Ordinal)
            : markdown.Replace("`", "", StringComparison.Ordinal).Replace('\n', ' ');
}
