using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

public class SecretRedactorTests
{
    [Theory]
    [InlineData("p@ss word", "connecting as p@ss word, as p%40ss%20word", "connecting as ***, as ***")]
    [InlineData("pg", "pg_dump: error", "pg_dump: error")]
    [InlineData("shop", "database \"shop\" does not exist", "database \"shop\" does not exist")]
    public void Hides_a_password_but_no_ordinary_word(string password, string text, string shown)
    {
        SecretRedactor redactor = SecretRedactor.For(new Dictionary<string, string> { ["PGPASSWORD"] = password, ["PGDATABASE"] = "shop" });
        Assert.Equal(shown, redactor.Redact(text));
    }
}
