using Xunit;

namespace MoltBeat.DR.Engine.Tests;

public class MoltExceptionTests
{
    [Fact]
    public void Carries_the_id_and_the_remedy()
    {
        var e = new MoltException("TargetNotEmpty", ErrorKind.AlreadyExists, "It is not empty.", "Choose another name.", "copy");
        Assert.Equal("TargetNotEmpty", e.Id);
        Assert.Equal("Choose another name.", e.Remedy);
        Assert.Equal("copy", e.TargetObject);
    }
}
