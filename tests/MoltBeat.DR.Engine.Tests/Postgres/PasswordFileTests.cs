using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

public sealed class PasswordFileTests : IDisposable
{
    private readonly FakeSurroundings _around = new();

    [Theory]
    [InlineData("h:5432:d:u:pw", "pw")]
    [InlineData("*:*:*:*:pw", "pw")]
    [InlineData("# h:5432:d:u:no\n\nh:5432:d:u:pw", "pw")]
    [InlineData("x:*:*:*:no\nh:*:*:u:first\n*:*:*:*:second", "first")]
    [InlineData("h:5432:d:u:a\\:b\\\\c", "a:b\\c")]
    [InlineData("h:5432:d:u: spaced ", " spaced ")]
    [InlineData("h:5432:d:u:pw\r\n", "pw")]
    [InlineData("h:5433:d:u:pw", null)]
    [InlineData("h:5432:dd:u:pw", null)]
    [InlineData("h:5432:d:*u:pw", null)]
    [InlineData("h:5432:d:u", null)]
    [InlineData("h:5432", null)]
    [InlineData("h:5432:d:u:", null)]
    [InlineData("", null)]
    public void Finds_the_first_line_that_fits(string text, string? password)
    {
        _around.Write(".pgpass", text);
        Assert.Equal(password, Password("postgresql://u@h/d"));
    }

    [Theory]
    [InlineData("host=/var/run/postgresql", "localhost:*:*:*:pw", "pw")]
    [InlineData("host=/srv/sock", "localhost:*:*:*:pw", null)]
    [InlineData("host=/srv/sock", "/srv/sock:*:*:*:pw", "pw")]
    [InlineData("hostaddr=10.0.0.1", "10.0.0.1:*:*:*:pw", "pw")]
    [InlineData("host=n hostaddr=10.0.0.1", "n:*:*:*:pw", "pw")]
    [InlineData("host=::1", "\\:\\:1:*:*:*:pw", "pw")]
    [InlineData("host=h user=a:b", "h:*:*:a\\:b:pw", "pw")]
    public void Knows_a_server_by_the_name_it_was_given(string conninfo, string text, string? password)
    {
        _around.Write(".pgpass", text);
        Assert.Equal(password, Password(conninfo));
    }

    [Fact]
    public void Each_server_and_database_has_its_own_password()
    {
        _around.Write(".pgpass", "h1:*:*:*:one\nh2:*:d:*:two\nh2:*:e:*:three");
        ConnectionSettings settings = _around.Parse("host=h1,h2 dbname=d");
        Assert.Equal(["one", "two"], settings.Hosts.Select(settings.PasswordFor));
        Assert.Equal("three", settings.WithDatabase("e").PasswordFor(settings.Hosts[1]));
    }

    [Fact]
    public void May_be_named_by_keyword_or_variable()
    {
        _around["PGPASSFILE"] = _around.Write("by-variable", "*:*:*:*:variable");
        Assert.Equal("variable", Password("host=h"));
        Assert.Equal("keyword", Password($"host=h passfile={_around.Write("by-keyword", "*:*:*:*:keyword")}"));
        Assert.Null(Password("host=h passfile=/nowhere/at/all"));
    }

    [Fact]
    public void Is_ignored_with_a_warning_when_others_may_read_it()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        string file = _around.Write(".pgpass", "*:*:*:*:pw");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Assert.Null(Password("host=h"));
        Assert.Contains(file, Assert.Single(_around.Parse("host=h").Warnings), StringComparison.Ordinal);
        Assert.Empty(_around.Parse("host=h password=given").Warnings);
    }

    public void Dispose() => _around.Dispose();

    private string? Password(string conninfo)
    {
        ConnectionSettings settings = _around.Parse(conninfo);
        return settings.PasswordFor(settings.Hosts[0]);
    }
}
