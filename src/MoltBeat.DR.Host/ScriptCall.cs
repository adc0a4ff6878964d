using System.Management.Automation.Language;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Host;

/// <summary>
/// Writes -File's script and arguments as a call in PowerShell. Called like that, and not as a command of its own, the script
/// leaves $? as the language defines it, and its param block binds as it would at a prompt.
/// </summary>
internal static partial class ScriptCall
{
    /// <param name="path">The script's full path.</param>
    /// <param name="words"><c>-Name value</c>, <c>-Name:value</c>, <c>-Switch</c>, <c>-Switch:$false</c> or plain values.</param>
    public static string Text(string path, IEnumerable<string> words) => string.Join(' ', words.Select(Argument).Prepend("& " + Quoted(path)));

    private static string Argument(string word)
    {
        var match = ParameterName().Match(word);
        var (name, value) = (match.Groups["name"].Value, match.Groups["value"]);
        return !match.Success ? Quoted(word)
            : !value.Success ? name
            : name + ":" + (Boolean().IsMatch(value.Value) ? value.Value : Quoted(value.Value));
    }

    private static string Quoted(string text) => "'" + CodeGeneration.EscapeSingleQuotedStringContent(text) + "'";

    [GeneratedRegex(@"\A(?<name>-[\p{L}_]\w*)(:(?<value>.*))?\z", RegexOptions.Singleline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex ParameterName();

    [GeneratedRegex(@"\A\$(?:true|false)\z", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Boolean();
}
