using System.Management.Automation;

namespace MoltBeat.DR.Tests;

/// <summary>The module's objects are of types that the tests do not reference: they read them as a script would.</summary>
internal static class ObjectExtensions
{
    /// <summary>A property's value.</summary>
    public static T Value<T>(this PSObject item, string property)
    {
        var found = item.Properties[property] ?? throw new InvalidOperationException($"{item.TypeNames[0]} has no {property}.");
        return (T)found.Value;
    }

    /// <summary>A property's value as text, such as an enumeration's name.</summary>
    public static string Text(this PSObject item, string property) => item.Value<object>(property).ToString()!;
}
