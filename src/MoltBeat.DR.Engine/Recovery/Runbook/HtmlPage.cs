using System.Net;
using System.Text;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>A page that is read on paper as well: no script, nothing from elsewhere.</summary>
internal sealed class HtmlPage
{
    private const string Style = "body{font:11pt/1.4 sans-serif;max-width:55em;margin:1em auto;padding:0 1em;color:#000;background:#fff}h1{font-size:18pt}h2{font-size:14pt;border-bottom:1px solid #000;break-after:avoid}"
        + "table{border-collapse:collapse;width:100%}td,th{border:1px solid #666;padding:.2em .5em;text-align:left;vertical-align:top}pre{border:1px solid #666;padding:.5em;white-space:pre-wrap;overflow-wrap:anywhere;break-inside:avoid}tr,li{break-inside:avoid}";

    private readonly StringBuilder text = new();

    public HtmlPage(string title)
        => text.Append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>").Append(Text(title)).Append("</title><style>").Append(Style).Append("</style></head>\n<body>\n<h1>").Append(Text(title)).Append("</h1>\n");

    public void Heading(string heading) => text.Append("<h2>").Append(Text(heading)).Append("</h2>\n");

    public void Paragraph(string paragraph) => text.Append("<p>").Append(Text(paragraph)).Append("</p>\n");

    /// <summary>Commands to type, a line each.</summary>
    public void Commands(params IEnumerable<string> lines) => text.Append("<pre>").Append(Text(string.Join('\n', lines))).Append("</pre>\n");

    public void Steps(IEnumerable<string> steps)
    {
        text.Append("<ol>\n");
        foreach (var step in steps)
        {
            text.Append("<li>").Append(Text(step)).Append("</li>\n");
        }

        text.Append("</ol>\n");
    }

    public void Table(IReadOnlyList<string> headers, IEnumerable<IReadOnlyList<string>> rows)
    {
        text.Append("<table>\n<tr>");
        text.AppendJoin("", headers.Select(h => $"<th>{Text(h)}</th>")).Append("</tr>\n");
        foreach (var row in rows)
        {
            text.Append("<tr>").AppendJoin("", row.Select(c => $"<td>{Text(c)}</td>")).Append("</tr>\n");
        }

        text.Append("</table>\n");
    }

    public byte[] ToBytes() => Encoding.UTF8.GetBytes(text.ToString() + "</body></html>\n");

    private static string Text(string plain) => WebUtility.HtmlEncode(plain);
}
