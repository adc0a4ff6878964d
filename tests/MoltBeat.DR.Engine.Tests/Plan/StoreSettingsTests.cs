using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

public class StoreSettingsTests
{
    [Theory]
    [InlineData("s3://AKIAEXAMPLE:secret@bucket/prefix", "credentials do not belong there")]
    [InlineData("s3://bucket?endpoint=https://user:secret@example.org", "without user and password")]
    [InlineData("s3://bucket?secretKey=secret", "there is no setting 'secretKey'")]
    [InlineData("s3://bucket?secret", "not of the form name=value")]
    [InlineData("s3://bucket?encryption=secret", "AES256 or aws:kms")]
    public void A_secret_that_was_put_into_a_URI_is_not_repeated(string uri, string why)
    {
        var e = Assert.Throws<MoltException>(() => StoreSettings.Parse(uri));
        Assert.Equal(("StoreInvalid", ErrorKind.InvalidArgument), (e.Id, e.Kind));
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.Contains("bucket", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("=secret", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(":secret", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("?secret", e.Message + e.TargetObject, StringComparison.Ordinal);
    }
}
