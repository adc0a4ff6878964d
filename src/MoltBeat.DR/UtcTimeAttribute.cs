using System.Globalization;
using System.Management.Automation;
using System.Text.RegularExpressions;

namespace MoltBeat.DR;

/// <summary>
/// For a <see cref="DateTimeOffset"/> parameter: takes only a moment that means the same on every machine, and makes it UTC.
/// </summary>
/// <remarks>
/// PowerShell's own conversion reads a text by the machine's time zone where it has no offset. A restore to the wrong hour is
/// what comes of it, so such a text is refused.
/// </remarks>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed partial class UtcTimeAttribute : ArgumentTransformationAttribute
{
    /// <exception cref="ArgumentTransformationMetadataException">The value is no moment, or has no offset.</exception>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData) =>
        (inputData is PSObject wrapped ? wrapped.BaseObject : inputData) switch
        {
            null => null,
            DateTimeOffset moment => moment.ToUniversalTime(),
            DateTime { Kind: not DateTimeKind.Unspecified } time => new DateTimeOffset(time).ToUniversalTime(),
            DateTime => throw Refused("The time says neither UTC nor local; use [datetimeoffset], or a text such as 2026-01-31T12:00Z."),
            string text => Parse(text.Trim()),
            var other => throw Refused($"A {other.GetType().Name} is no time; use a text such as 2026-01-31T12:00Z."),
        };

    private static DateTimeOffset Parse(string text)
    {
        if (!Iso8601().IsMatch(text))
        {
            throw Refused($"'{text}' is no ISO 8601 time.");
        }

        if (!Offset().IsMatch(text))
        {
            throw Refused($"'{text}' has no offset from UTC, so that it would mean another moment on another machine; add Z or, say, +02:00.");
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var moment)
            ? moment
            : throw Refused($"'{text}' is no time that exists.");
    }

    private static ArgumentTransformationMetadataException Refused(string message) => new(message);

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,7})?)?(Z|[+-]\d\d:?\d\d)?)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Iso8601();

    [GeneratedRegex(@":\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$", RegexOptions.CultureInvariant)]
    private static partial Regex Offset();
}
