using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

public sealed class CronTimeTests
{
    [Theory]
    [InlineData("0 2 * * *", "0", "2", "*", "*", "*")]
    [InlineData("*/20  1-3 * * MON-fri", "0,20,40", "1,2,3", "*", "*", "1,2,3,4,5")]
    [InlineData("5,10-20/5 0 1,15 jan,7 *", "5,10,15,20", "0", "1,15", "1,7", "*")]
    [InlineData("0 0 * * 0,7", "0", "0", "*", "*", "0")]
    [InlineData("0 0 * * 5-7", "0", "0", "*", "*", "0,5,6")]
    [InlineData("0-59 0-23 1-31 1-12 0-6", "*", "*", "*", "*", "*")]
    public void Fields_become_the_values_that_they_stand_for(string text, params string[] fields)
    {
        var at = CronTime.TryParse(text, out _)!;
        Assert.Equal(fields, new[] { at.Minutes, at.Hours, at.Days, at.Months, at.WeekDays }.Select(f => f is null ? "*" : string.Join(',', f)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0 2 * *")]
    [InlineData("0 0 2 * * *")]
    [InlineData("60 2 * * *")]
    [InlineData("0 24 * * *")]
    [InlineData("0 2 32 * *")]
    [InlineData("0 2 * 13 *")]
    [InlineData("0 2 * * 8")]
    [InlineData("0 2 L * *")]
    [InlineData("0 2 * * 5#2")]
    [InlineData("@daily")]
    [InlineData("10/5 2 * * *")]
    [InlineData("20-10 2 * * *")]
    [InlineData("0 2 1 * 1")]
    [InlineData("0 2 * * *\n")]
    public void What_schedulers_take_differently_or_not_at_all_is_refused(string text)
    {
        Assert.Null(CronTime.TryParse(text, out var flaw));
        Assert.NotEmpty(flaw);
    }

    [Fact]
    public void It_is_due_in_UTC_whatever_the_zone()
    {
        var at = CronTime.TryParse("0 2 * * *", out _)!;
        Assert.Equal(new DateTimeOffset(2026, 3, 29, 2, 0, 0, TimeSpan.Zero), at.Next(new DateTimeOffset(2026, 3, 29, 3, 30, 0, TimeSpan.FromHours(2))));
        Assert.Equal(3, at.Between(new DateTimeOffset(2026, 3, 28, 2, 0, 0, TimeSpan.Zero), new DateTimeOffset(2026, 3, 31, 2, 0, 0, TimeSpan.Zero)).Count());
        Assert.Empty(at.Between(new DateTimeOffset(2026, 3, 28, 2, 0, 0, TimeSpan.Zero), new DateTimeOffset(2026, 3, 28, 1, 0, 0, TimeSpan.Zero)));
    }
}
