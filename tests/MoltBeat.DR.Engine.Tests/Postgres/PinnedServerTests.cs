using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

public sealed class PinnedServerTests : IDisposable
{
    private readonly FakeSurroundings _around = new();

    [Fact]
    public async Task Tells_a_child_the_pinned_server_and_no_other()
    {
        _around["PGOPTIONS"] = "-c work_mem=8MB";
        await using PinnedServer server = Pin("postgresql://ann:pw@h1:1,h2:2/d?target_session_attrs=primary&channel_binding=require&sslmode=verify-full&sslrootcert=/r.crt",
            new("h2", 2, "10.0.0.2"), tls: false);
        IReadOnlyDictionary<string, string> child = server.ChildEnvironment("dump");
        Assert.Equal("h2", child["PGHOST"]);
        Assert.Equal("10.0.0.2", child["PGHOSTADDR"]);
        Assert.Equal("2", child["PGPORT"]);
        Assert.Equal("ann", child["PGUSER"]);
        Assert.Equal("pw", child["PGPASSWORD"]);
        Assert.Equal("d", child["PGDATABASE"]);
        Assert.Equal("any", child["PGTARGETSESSIONATTRS"]);
        Assert.Equal("require", child["PGCHANNELBINDING"]);
        Assert.Equal("-c work_mem=8MB", child["PGOPTIONS"]);
        Assert.Equal("30", child["PGCONNECT_TIMEOUT"]);
        Assert.Equal("MoltBeat.DR dump", child["PGAPPNAME"]);
        Assert.DoesNotContain(child.Keys, name => name.StartsWith("PGSERVICE", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("prefer", true, "require")]
    [InlineData("prefer", false, "disable")]
    [InlineData("allow", true, "require")]
    [InlineData("require", true, "require")]
    [InlineData("verify-ca", true, "verify-ca")]
    [InlineData("verify-full", true, "verify-full")]
    public async Task Tells_a_child_the_tls_that_was_reached(string asked, bool tls, string told)
    {
        string root = _around.Write(".postgresql/root.crt", "");
        await using PinnedServer server = Pin($"host=h sslmode={asked}", new("h", 5432), tls);
        IReadOnlyDictionary<string, string> child = server.ChildEnvironment();
        Assert.Equal(told, child["PGSSLMODE"]);
        Assert.Equal(tls ? root : null, child.GetValueOrDefault("PGSSLROOTCERT"));
    }

    [Fact]
    public async Task Puts_what_no_variable_carries_into_the_database_argument()
    {
        await using PinnedServer server = Pin("host=h password=hunter2 dbname='it\\'s \\\\ a=b' keepalives_idle=60 keepalives_count=3 tcp_user_timeout=5000", new("h", 5432), tls: false);
        Assert.Equal("dbname='it\\'s \\\\ a=b' keepalives_idle=60 keepalives_count=3 tcp_user_timeout=5000", server.ChildDatabase());
        await using PinnedServer other = server.WithDatabase("x");
        Assert.StartsWith("dbname='x' ", other.ChildDatabase(), StringComparison.Ordinal);
        Assert.Equal("x", other.ChildEnvironment()["PGDATABASE"]);
    }

    public void Dispose() => _around.Dispose();

    private PinnedServer Pin(string conninfo, ServerAddress address, bool tls) =>
        new(_around.Parse(conninfo), address, tls, new Version(15, 0), SessionOptions.Default, source: null);
}
