using System.Management.Automation;

namespace MoltBeat.DR.Help;

/// <summary>What the cmdlet itself says of its parameters.</summary>
public sealed class CmdletSyntax(CmdletInfo cmdlet)
{
    public string Name => cmdlet.Name;

    public string Verb => cmdlet.Verb;

    public string Noun => cmdlet.Noun;

    /// <summary>By parameter set, those with a position first, then as declared, -WhatIf and -Confirm last.</summary>
    public IReadOnlyList<IReadOnlyList<CommandParameterInfo>> Sets { get; } = [.. cmdlet.ParameterSets.Select(Ordered)];

    /// <summary>All parameters, each once.</summary>
    public IReadOnlyList<CommandParameterInfo> Parameters => [.. Sets.SelectMany(s => s).DistinctBy(p => p.Name)];

    /// <summary>One line for each parameter set.</summary>
    public IEnumerable<string> Lines() =>
        Sets.Select(set => string.Join(' ', set.Select(Usage).Prepend(Name).Append("[<CommonParameters>]")));

    public static string TypeName(Type type)
    {
        var bare = Nullable.GetUnderlyingType(type) ?? type;
        return bare == typeof(long) ? "Int64" : bare.Name;
    }

    /// <summary>The values it takes, when they are few.</summary>
    public static IReadOnlyList<string> Values(CommandParameterInfo parameter)
    {
        var type = parameter.ParameterType.IsArray ? parameter.ParameterType.GetElementType()! : parameter.ParameterType;
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum
            ? Enum.GetNames(type)
            : [.. parameter.Attributes.OfType<ValidateSetAttribute>().SelectMany(a => a.ValidValues)];
    }

    public static string Pipeline(CommandParameterInfo parameter) => (parameter.ValueFromPipeline, parameter.ValueFromPipelineByPropertyName) switch
    {
        (true, true) => "True (ByPropertyName, ByValue)",
        (true, false) => "True (ByValue)",
        (false, true) => "True (ByPropertyName)",
        _ => "False",
    };

    public static bool IsSwitch(CommandParameterInfo parameter) => parameter.ParameterType == typeof(SwitchParameter);

    public static bool TakesWildcards(CommandParameterInfo parameter) => parameter.Attributes.OfType<SupportsWildcardsAttribute>().Any();

    private static string Usage(CommandParameterInfo parameter)
    {
        var name = parameter.Position >= 0 ? $"[-{parameter.Name}]" : $"-{parameter.Name}";
        var text = IsSwitch(parameter) ? $"-{parameter.Name}" : $"{name} <{TypeName(parameter.ParameterType)}>";
        return parameter.IsMandatory ? text : $"[{text}]";
    }

    private static IReadOnlyList<CommandParameterInfo> Ordered(CommandParameterSetInfo set) =>
        [
            .. set.Parameters
                .Where(p => !Cmdlet.CommonParameters.Contains(p.Name))
                .Select((p, i) => (Parameter: p, Order: i))
                .OrderBy(p => Cmdlet.OptionalCommonParameters.Contains(p.Parameter.Name))
                .ThenBy(p => p.Parameter.Position >= 0 ? p.Parameter.Position : int.MaxValue)
                .ThenBy(p => p.Order)
                .Select(p => p.Parameter),
        ];
}
