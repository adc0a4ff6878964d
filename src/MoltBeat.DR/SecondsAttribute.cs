using System.Globalization;
using System.Management.Automation;

namespace MoltBeat.DR;

/// <summary>
/// For a <see cref="TimeSpan"/> parameter: a bare number is seconds. PowerShell's own conversion would make ticks of it, so
/// that a lock timeout of 30 would be three microseconds.
/// </summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class SecondsAttribute : ArgumentTransformationAttribute
{
    /// <exception cref="ArgumentTransformationMetadataException">Neither a number of seconds nor a time span.</exception>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData)
    {
        var value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        return value switch
        {
            TimeSpan span => NotNegative(span),
            int or long or double or decimal => NotNegative(TimeSpan.FromSeconds(Convert.ToDouble(value, CultureInfo.InvariantCulture))),
            string text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) => NotNegative(TimeSpan.FromSeconds(seconds)),
            string text when TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var span) => NotNegative(span),
            _ => throw new ArgumentTransformationMetadataException($"'{value}' is no time span: give seconds, or hh:mm:ss."),
        };
    }

    private static object NotNegative(TimeSpan span)
        => span >= TimeSpan.Zero ? span : throw new ArgumentTransformationMetadataException("A time span cannot be negative here.");
}
