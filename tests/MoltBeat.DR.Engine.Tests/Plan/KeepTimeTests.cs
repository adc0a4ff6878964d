using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

public class KeepTimeTests
{
    [Theory]
    [InlineData("30d", "30.00:00:00", "30d")]
    [InlineData("0d", "00:00:00", "0d")]
    [InlineData("P30D", "30.00:00:00", "30d")]
    [InlineData("P2W", "14.00:00:00", "14d")]
    [InlineData("P1Y2M3D", "428.00:00:00", "428d")]
    [InlineData("PT36H", "1.12:00:00", "P1DT12H")]
    [InlineData("P1DT1H2M3S", "1.01:02:03", "P1DT1H2M3S")]
    [InlineData("36500d", "36500.00:00:00", "36500d")]
    public void The_forms_mean_a_time_and_are_written_the_shortest_way(string text, string time, string written)
    {
        Assert.True(KeepTime.TryParse(text, out var found));
        Assert.Equal(TimeSpan.Parse(time, System.Globalization.CultureInfo.InvariantCulture), found);
        Assert.Equal(written, KeepTime.Format(found));
        Assert.True(KeepTime.TryParse(written, out var again));
        Assert.Equal(found, again);
    }

    [Fact]
    public void For_ever_is_no_time()
    {
        Assert.True(KeepTime.TryParse("forever", out var found));
        Assert.Null(found);
        Assert.Equal("forever", KeepTime.Format(null));
    }

    [Theory]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("d")]
    [InlineData("-30d")]
    [InlineData("30D")]
    [InlineData("30d ")]
    [InlineData("30d\n")]
    [InlineData("1.5d")]
    [InlineData("٣d")]
    [InlineData("P")]
    [InlineData("PT")]
    [InlineData("P1DT")]
    [InlineData("P1H")]
    [InlineData("Forever")]
    [InlineData("36501d")]
    [InlineData("99999999999999999999d")]
    [InlineData("P999999Y")]
    public void Other_texts_are_refused(string text) => Assert.False(KeepTime.TryParse(text, out _));
}
