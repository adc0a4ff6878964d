using System.Globalization;
using Xunit;

namespace MoltBeat.DR.Tests;

public sealed class UtcTimeTests : IDisposable
{
    private readonly HostedModule _module = new(Staged.TestCommands);

    public void Dispose() => _module.Dispose();

    [Theory]
    [InlineData("'2026-01-31T12:00Z'", "2026-01-31T12:00:00.0000000+00:00")]
    [InlineData("'2026-01-31T12:00:30.25+02:00'", "2026-01-31T10:00:30.2500000+00:00")]
    [InlineData("'2026-01-31 12:00:00-0530'", "2026-01-31T17:30:00.0000000+00:00")]
    [InlineData("([datetimeoffset]::new(2026, 1, 31, 12, 0, 0, [timespan]::FromHours(1)))", "2026-01-31T11:00:00.0000000+00:00")]
    [InlineData("([datetime]::new(2026, 1, 31, 12, 0, 0, [System.DateTimeKind]::Utc))", "2026-01-31T12:00:00.0000000+00:00")]
    public void A_moment_becomes_UTC(string value, string expected)
    {
        var moment = (DateTimeOffset)Assert.Single(_module.Run("Get-Moment " + value).ThrowIfFailed().Values);
        Assert.Equal(expected, moment.ToString("o", CultureInfo.InvariantCulture));
    }

    [Fact]
    public void A_local_time_is_the_same_moment_in_UTC()
    {
        var local = new DateTime(2026, 7, 1, 12, 0, 0, DateTimeKind.Local);
        var moment = (DateTimeOffset)Assert.Single(_module.Run("param($At) Get-Moment $At", ("At", local)).ThrowIfFailed().Values);
        Assert.Equal(local.ToUniversalTime(), moment.UtcDateTime);
        Assert.Equal(TimeSpan.Zero, moment.Offset);
    }

    [Theory]
    [InlineData("'2026-01-31T12:00'", "has no offset")]
    [InlineData("'2026-01-31'", "has no offset")]
    [InlineData("'31.01.2026 12:00Z'", "no ISO 8601 time")]
    [InlineData("'tomorrow'", "no ISO 8601 time")]
    [InlineData("'2026-02-30T12:00Z'", "no time that exists")]
    [InlineData("([datetime]::new(2026, 1, 31))", "neither UTC nor local")]
    [InlineData("5", "is no time")]
    public void What_could_mean_two_moments_is_refused_with_the_reason(string value, string reason)
    {
        var result = _module.Run("Get-Moment " + value);
        Assert.Empty(result.Values);
        Assert.Contains(reason, result.Error.Exception.Message, StringComparison.Ordinal);
    }
}
