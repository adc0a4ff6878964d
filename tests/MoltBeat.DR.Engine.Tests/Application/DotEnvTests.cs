using System.Text;
using MoltBeat.DR.Engine.Application;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application;

public sealed class DotEnvTests
{
    [Theory]
    [InlineData("A=1", "A", "1")]
    [InlineData("\uFEFFA=1\r\n", "A", "1")]
    [InlineData("  export A = 1  ", "A", "1")]
    [InlineData("export\tA=1", "A", "1")]
    [InlineData("A=1 # comment", "A", "1")]
    [InlineData("A=1#2", "A", "1#2")]
    [InlineData("A=#nothing", "A", "")]
    [InlineData("A=", "A", "")]
    [InlineData("A='1 # 2'", "A", "1 # 2")]
    [InlineData("A=\"1\\n\\\"2\\\"\" # comment", "A", "1\n\"2\"")]
    [InlineData("A='1\\n'", "A", "1\\n")]
    [InlineData("A=`1'\"2`", "A", "1'\"2")]
    [InlineData("A=a=b=c", "A", "a=b=c")]
    [InlineData("A=\"one\r\ntwo\"", "A", "one\ntwo")]
    [InlineData("A=\"never closed", "A", "\"never closed")]
    [InlineData("A=1\nA=2", "A", "2")]
    [InlineData("#A=0\nA.b-c=1", "A.b-c", "1")]
    public void A_variable_is_read_as_shells_and_libraries_read_it(string text, string name, string value)
    {
        var (found, what) = Assert.Single(DotEnv.Parse(Encoding.UTF8.GetBytes(text)));
        Assert.Equal((name, value), (found, what));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# A=1")]
    [InlineData("export A")]
    [InlineData("no variable")]
    [InlineData("1A=1")]
    [InlineData("=1")]
    [InlineData("{\"key\": \"a=b\"}")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nAbCd=\n-----END PRIVATE KEY-----\n")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nAbCd=")]
    [InlineData("c2VjcmV0LWtleSBub3QgdG8gYmU=")]
    [InlineData("c2VjcmV0LWtleSBub3QgdG8gYmU==")]
    [InlineData("VeryLongBase64VeryLongBase64VeryLongBase64VeryLongBase64VeryLongBase64=x")]
    public void What_is_no_variable_is_not_taken_for_one(string text) => Assert.Empty(DotEnv.Parse(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void Values_of_several_lines_do_not_become_names()
    {
        var found = DotEnv.Parse("""
            KEY="-----BEGIN KEY-----
            SECRET=abc
            -----END KEY-----"
            PLAIN=-----BEGIN KEY-----
            OTHER=def
            -----END KEY-----
            LAST=1
            """u8);
        Assert.Equal(["KEY", "LAST", "PLAIN"], found.Keys.Order());
        Assert.Contains("SECRET=abc", found["KEY"], StringComparison.Ordinal);
    }

    [Fact]
    public void A_diff_tells_names_and_counts_and_no_value()
    {
        var diff = EnvironmentDiff.Of("A=1\nB='x y'\nC=s3cret"u8, "export A=\"1\"\nB=x y\nC=other-s3cret\nD=s3cret"u8);
        Assert.Equal("adds D; changes C; leaves 2", diff.ToString());
        Assert.Equal("no variables", EnvironmentDiff.Of([], [0xff, 0xfe, 0]).ToString());
        Assert.Equal(40, EnvironmentDiff.Of([], Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Range(0, 50).Select(i => $"V{i}=1")))).ToString().Count(c => c == 'V'));
    }
}
