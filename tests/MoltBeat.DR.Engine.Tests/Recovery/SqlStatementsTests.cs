using MoltBeat.DR.Engine.Recovery;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

public class SqlStatementsTests
{
    [Fact]
    public void Splits_at_semicolons_outside_of_strings_names_and_comments()
    {
        const string Sql = """
            -- a comment; with 'quotes' and "names"
            CREATE ROLE "semi;colon";
            ALTER ROLE "quo""te;" WITH PASSWORD 'it''s; fine';
            COMMENT ON ROLE a IS E'back\\slash\'; and ''more'';';
            COMMENT ON ROLE b IS 'ends in a backslash\';
            COMMENT ON ROLE c IS 'two
            lines; -- no comment';
            SET x = 1

            """;
        Assert.Equal(
            [
                "CREATE ROLE \"semi;colon\"",
                "ALTER ROLE \"quo\"\"te;\" WITH PASSWORD 'it''s; fine'",
                "COMMENT ON ROLE a IS E'back\\\\slash\\'; and ''more'';'",
                "COMMENT ON ROLE b IS 'ends in a backslash\\'",
                "COMMENT ON ROLE c IS 'two\nlines; -- no comment'",
            ],
            SqlStatements.Split(Sql));
    }

    [Theory]
    [InlineData("'open")]
    [InlineData("\"open")]
    [InlineData("--")]
    [InlineData("E'\\")]
    [InlineData("'")]
    [InlineData(";;;")]
    [InlineData("")]
    public void Ends_whatever_the_text(string sql) => Assert.Empty(SqlStatements.Split(sql));

    [Theory]
    [InlineData("name;", "name;", "")]
    [InlineData("name TO x", "name", "TO x")]
    [InlineData("\"two words\" TO x", "two words", "TO x")]
    [InlineData("\"quo\"\"te\"", "quo\"te", "")]
    public void Reads_a_name(string text, string name, string rest) => Assert.Equal((name, rest), SqlStatements.Name(text));

    [Theory]
    [InlineData("")]
    [InlineData("\"never closed")]
    public void Says_when_there_is_no_name(string text) => Assert.Null(SqlStatements.Name(text));

    [Fact]
    public void Makes_the_missing_roles_alone_with_their_memberships_last()
    {
        const string Globals = """
            CREATE ROLE "App Owner";
            ALTER ROLE "App Owner" WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x;y';
            CREATE ROLE other;
            ALTER ROLE other WITH LOGIN;
            COMMENT ON ROLE "App Owner" IS 'it''s; mine';
            GRANT "App Owner" TO reader WITH ADMIN OPTION GRANTED BY postgres;
            GRANT other TO "App Owner" GRANTED BY postgres;
            GRANT gone TO "App Owner" GRANTED BY postgres;
            GRANT "App Owner" TO other GRANTED BY postgres;
            CREATE ROLE reader;
            """;
        var (statements, made) = RoleScript.For(Globals, new HashSet<string> { "App Owner", "reader" }, new HashSet<string> { "other", "postgres" });
        Assert.Equal(["App Owner", "reader"], made);
        Assert.Equal(
            [
                "CREATE ROLE \"App Owner\"",
                "ALTER ROLE \"App Owner\" WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:x;y'",
                "COMMENT ON ROLE \"App Owner\" IS 'it''s; mine'",
                "CREATE ROLE reader",
                "GRANT \"App Owner\" TO reader WITH ADMIN OPTION",
                "GRANT other TO \"App Owner\"",
            ],
            statements);
    }
}
