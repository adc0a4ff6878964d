using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

public sealed class ConnectionSettingsTests : IDisposable
{
    private readonly FakeSurroundings _around = new();

    [Theory]
    [InlineData("postgresql://ann:pw@db.example:5433/shop", "ann", "pw", "shop", "db.example:5433")]
    [InlineData("postgres://ann:pw@db.example/shop", "ann", "pw", "shop", "db.example:5432")]
    [InlineData("postgresql://db.example", "osuser", null, "osuser", "db.example:5432")]
    [InlineData("postgresql://ann@db.example", "ann", null, "ann", "db.example:5432")]
    [InlineData("postgresql://ann:@db.example", "ann", null, "ann", "db.example:5432")]
    [InlineData("postgresql://a%40b:p%3A%2F%40%25%3F%C3%A9@h/d%20b", "a@b", "p:/@%?é", "d b", "h:5432")]
    [InlineData("postgresql://ann:p:w?x#y@h/d", "ann", "p:w?x#y", "d", "h:5432")]
    [InlineData("postgresql://[::1]:5433,[2001:db8::7]/d", "osuser", null, "d", "[::1]:5433,[2001:db8::7]:5432")]
    [InlineData("postgresql://h1:1,h2,h3:3/d", "osuser", null, "d", "h1:1,h2:5432,h3:3")]
    [InlineData("postgresql://%2Fvar%2Flib%2Fsock:5433/d", "osuser", null, "d", "/var/lib/sock/.s.PGSQL.5433")]
    [InlineData("postgresql:///d?host=/var/lib/sock&port=5433", "osuser", null, "d", "/var/lib/sock/.s.PGSQL.5433")]
    [InlineData("postgresql:///d?host=h1,h2&port=1,2&user=bob&password=p%26q", "bob", "p&q", "d", "h1:1,h2:2")]
    [InlineData("postgresql://h?hostaddr=10.0.0.1", "osuser", null, "osuser", "h:5432 (10.0.0.1)")]
    [InlineData("host=h port=5433 dbname=d user=u password=p", "u", "p", "d", "h:5433")]
    [InlineData("host = h dbname = 'my db'  password='it\\'s \\\\ me'", "osuser", "it's \\ me", "my db", "h:5432")]
    [InlineData("host=h password=a\\ b\\'c dbname=''", "osuser", "a b'c", "osuser", "h:5432")]
    [InlineData("host=h1,h2 port=5433", "osuser", null, "osuser", "h1:5433,h2:5433")]
    [InlineData("hostaddr=10.0.0.1 user=u\tdbname=d\n", "u", null, "d", "10.0.0.1:5432")]
    [InlineData("password=p@ss://w host=h", "osuser", "p@ss://w", "osuser", "h:5432")]
    public void Reads_what_libpq_reads(string conninfo, string user, string? password, string database, string hosts)
    {
        ConnectionSettings settings = _around.Parse(conninfo);
        Assert.Equal(user, settings.User);
        Assert.Equal(database, settings.Database);
        Assert.Equal(hosts, string.Join(',', settings.Hosts));
        Assert.Equal(password, settings.PasswordFor(settings.Hosts[0]));
    }

    [Theory]
    [InlineData("sslmode=verify-full", TlsMode.VerifyFull)]
    [InlineData("sslmode=verify-ca", TlsMode.VerifyCa)]
    [InlineData("sslmode=require", TlsMode.Require)]
    [InlineData("sslmode=prefer", TlsMode.Prefer)]
    [InlineData("sslmode=allow", TlsMode.Allow)]
    [InlineData("sslmode=disable", TlsMode.Disable)]
    [InlineData("host=h", TlsMode.Prefer)]
    [InlineData("sslmode=", TlsMode.Prefer)]
    [InlineData("requiressl=1", TlsMode.Require)]
    [InlineData("sslrootcert=system", TlsMode.VerifyFull)]
    [InlineData("postgresql://h/d?ssl=true", TlsMode.Require)]
    public void Reads_the_tls_mode(string conninfo, TlsMode mode) => Assert.Equal(mode, _around.Parse(conninfo).TlsMode);

    [Theory]
    [InlineData("host=h connect_timeout=7", 7)]
    [InlineData("host=h connect_timeout=1", 2)]
    [InlineData("host=h connect_timeout=0", null)]
    [InlineData("host=h connect_timeout=-1", null)]
    [InlineData("host=h", 30)]
    public void Reads_the_connect_timeout(string conninfo, int? seconds) =>
        Assert.Equal(seconds is { } s ? TimeSpan.FromSeconds(s) : null, _around.Parse(conninfo).ConnectTimeout);

    [Theory]
    [InlineData("postgresql://ann:hunter2@h/d?sslmde=require", "sslmde")]
    [InlineData("host=h sslmde=require password=hunter2", "sslmde")]
    public void Names_an_unknown_keyword_and_nothing_else(string conninfo, string keyword)
    {
        MoltException e = Invalid(conninfo);
        Assert.Contains(keyword, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", e.ToString() + e.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("password=my hunter2")]
    [InlineData("password=my hunter2=secret")]
    [InlineData("hunter2")]
    [InlineData("jdbc:postgresql://h/d?user=ann&password=hunter2")]
    [InlineData("Host=h;Username=ann;Password=hunter2")]
    [InlineData("password='hunter2")]
    [InlineData("postgresql://ann:hun/ter2@h/d")]
    [InlineData("postgresql://ann:12/hunter2@h/d")]
    [InlineData("postgresql://ann:x@hunter2@h/d")]
    [InlineData("postgresql://ann:hunter2%@h/d")]
    [InlineData("postgresql://ann:hunter2%0@h/d")]
    [InlineData("postgresql://ann:hunter2%00@h/d")]
    [InlineData("postgresql://ann:hunter2%ff@h/d")]
    [InlineData("postgresql://ann:hunter2@h:hunter2/d")]
    [InlineData("postgresql://ann:hunter2@h:70000/d")]
    [InlineData("postgresql://ann:hunter2@[::1/d")]
    [InlineData("postgresql://ann:hunter2@h/d?hunter2")]
    [InlineData("postgresql://ann:hunter2@h/d?sslmode=hunter2")]
    [InlineData("postgresql://h/d?password=a&hunter2=b")]
    [InlineData("postgresql://ann:hunter2@h1,h2/d?port=1,2,3")]
    [InlineData("postgresql://ann:hunter2@h/d?hostaddr=hunter2")]
    [InlineData("postgresql://ann:hunter2@h/d?connect_timeout=hunter2")]
    [InlineData("postgresql://ann:hunter2@h/d?sslrootcert=system&sslmode=require")]
    [InlineData("postgresql://ann:hunter2@h/d?sslnegotiation=direct&sslmode=prefer")]
    [InlineData("postgresql://ann:hunter2@h/d?target_session_attrs=hunter2")]
    public void Errors_never_quote_the_string(string conninfo)
    {
        MoltException e = Invalid(conninfo);
        Assert.DoesNotContain("hun", e.ToString() + e.Remedy + e.TargetObject, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sslpassword")]
    [InlineData("replication")]
    [InlineData("requirepeer")]
    [InlineData("sslcrl")]
    [InlineData("oauth_client_secret")]
    public void Refuses_what_cannot_be_honoured(string keyword)
    {
        MoltException e = Assert.Throws<MoltException>(() => _around.Parse($"host=h {keyword}=hunter2"));
        Assert.Equal("ConnectionOptionNotSupported", e.Id);
        Assert.Contains(keyword, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", e.ToString(), StringComparison.Ordinal);
        _around.Parse($"host=h {keyword}=");
    }

    [Fact]
    public void Takes_the_string_before_the_service_before_the_variables_before_the_defaults()
    {
        _around.Write(".pg_service.conf", "# comment\n[other]\nport=1\n\n[main]\n host=servicehost \nport=2222\nuser=serviceuser\nport=3333\n[last]\nport=9\n");
        _around["PGSERVICE"] = "main";
        _around["PGHOST"] = "variablehost";
        _around["PGUSER"] = "variableuser";
        _around["PGDATABASE"] = "variabledb";
        ConnectionSettings settings = _around.Parse("user=ann");
        Assert.Equal(("ann", "variabledb", "servicehost:2222"), (settings.User, settings.Database, settings.Hosts[0].ToString()));
    }

    [Fact]
    public void Takes_database_url_only_when_nothing_is_given()
    {
        _around["DATABASE_URL"] = "postgresql://url/one";
        _around["PGDATABASE"] = "variable";
        Assert.Equal("one", _around.Parse(null).Database);
        Assert.Equal("one", _around.Parse(" ").Database);
        Assert.Equal("variable", _around.Parse("host=h").Database);
        _around["DATABASE_URL"] = "";
        Assert.Equal("variable", _around.Parse(null).Database);
    }

    [Fact]
    public void The_service_file_may_be_named_and_the_system_has_one_too()
    {
        _around.Write("etc/pg_service.conf", "[shared]\nport=4444\n");
        _around["PGSYSCONFDIR"] = Path.Combine(_around.Home, "etc");
        Assert.Equal(4444, _around.Parse("service=shared").Hosts[0].Port);
        _around["PGSERVICEFILE"] = _around.Write("mine.conf", "[shared]\nport=5555\n");
        Assert.Equal(5555, _around.Parse("service=shared").Hosts[0].Port);
    }

    [Theory]
    [InlineData("[s]\nhunter2\n", "ServiceFileInvalid")]
    [InlineData("[s]\nhunter2=1\n", "ServiceFileInvalid")]
    [InlineData("[s]\nservice=hunter2\n", "ServiceFileInvalid")]
    [InlineData("[t]\nport=1\n", "ServiceNotFound")]
    public void Says_what_is_wrong_with_a_service_file(string text, string id)
    {
        _around.Write(".pg_service.conf", text);
        _around["PGSYSCONFDIR"] = _around.Home;
        MoltException e = Assert.Throws<MoltException>(() => _around.Parse("service=s"));
        Assert.Equal(id, e.Id);
        Assert.DoesNotContain("hunter2", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Takes_the_password_from_the_first_source_that_has_one()
    {
        _around.Write(".pgpass", "*:*:*:*:file");
        Assert.Equal("file", Password("host=h"));
        _around["PGPASSWORD"] = "variable";
        Assert.Equal("variable", Password("host=h"));
        _around.Write(".pg_service.conf", "[s]\npassword=service\n");
        Assert.Equal("service", Password("host=h service=s"));
        Assert.Equal("string", Password("host=h service=s password=string"));
        Assert.Equal("credential", _around.Parse("host=h service=s password=string", "ann", "credential") is var s ? s.PasswordFor(s.Hosts[0]) : null);
    }

    [Fact]
    public void A_credential_stands_over_the_string()
    {
        ConnectionSettings settings = _around.Parse("postgresql://bob:b@h/d", "ann", "a");
        Assert.Equal(("ann", "a", "d"), (settings.User, settings.PasswordFor(settings.Hosts[0]), settings.Database));
        Assert.Equal("ConnectionStringInvalid", Assert.Throws<MoltException>(() => _around.Parse("host=h", "ann", "hunter2\0")).Id);
    }

    [Fact]
    public void Prints_no_secret()
    {
        ConnectionSettings settings = _around.Parse("postgresql://a%40b:hunter2@h1:1,[::1]/d%2Fb?sslmode=require");
        Assert.Equal("postgresql://a%40b@h1:1,[::1]:5432/d%2Fb", settings.ToString());
        Assert.Equal(settings.Describe(), settings.ToString());
        Assert.Equal("other", settings.WithDatabase("other").Database);
        Assert.Equal("hunter2", settings.WithDatabase("other").PasswordFor(settings.Hosts[0]));
        Assert.Equal("postgresql://osuser@%2Fvar%2Frun:5432/osuser", _around.Parse("host=/var/run").Describe());
    }

    public void Dispose() => _around.Dispose();

    private string? Password(string conninfo)
    {
        ConnectionSettings settings = _around.Parse(conninfo);
        return settings.PasswordFor(settings.Hosts[0]);
    }

    private MoltException Invalid(string conninfo)
    {
        MoltException e = Assert.Throws<MoltException>(() => _around.Parse(conninfo));
        Assert.Equal(("ConnectionStringInvalid", ErrorKind.InvalidArgument), (e.Id, e.Kind));
        return e;
    }
}
