using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

/// <summary>SQL and patterns made of names that others chose.</summary>
public class SqlTextTests
{
    private static readonly DatabaseProperties s_properties = new()
    {
        Name = "it's \"my\" db",
        Owner = "o\"wner",
        Encoding = "UTF8",
        Collate = "C",
        CType = "C.UTF-8",
        LocaleProvider = "c",
        Tablespace = "fast \"disk\"",
        Comment = "it's a \\ comment",
        ConnectionLimit = 7,
        IsTemplate = true,
        Grants = [new Grant("", "CONNECT", false), new Grant("re\"ader", "CREATE", true)],
        Settings = [new DatabaseSetting(null, "search_path", "\"$user\", \"my,schema\", public"), new DatabaseSetting("o\"wner", "my.setting", "it's \\ it")],
    };

    [Fact]
    public void Names_and_values_of_a_database_are_quoted()
    {
        Assert.Equal(
            "CREATE DATABASE \"x\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8' LOCALE_PROVIDER libc TABLESPACE \"fast \"\"disk\"\"\"",
            CreateDatabase.Create(s_properties, "\"x\"", 150000));
        Assert.Equal(
            [
                "COMMENT ON DATABASE \"x\" IS  E'it''s a \\\\ comment'",
                "ALTER DATABASE \"x\" SET \"search_path\" TO '$user', 'my,schema', 'public'",
                "ALTER ROLE \"o\"\"wner\" IN DATABASE \"x\" SET \"my\".\"setting\" TO  E'it''s \\\\ it'",
                "REVOKE ALL ON DATABASE \"x\" FROM PUBLIC",
                "REVOKE ALL ON DATABASE \"x\" FROM \"o\"\"wner\"",
                "GRANT CONNECT ON DATABASE \"x\" TO PUBLIC",
                "GRANT CREATE ON DATABASE \"x\" TO \"re\"\"ader\" WITH GRANT OPTION",
                "ALTER DATABASE \"x\" OWNER TO \"o\"\"wner\"",
                "ALTER DATABASE \"x\" IS_TEMPLATE true",
                "ALTER DATABASE \"x\" CONNECTION LIMIT 7",
            ],
            CreateDatabase.Finish(s_properties, "\"x\"", roles: true));
    }

    private static readonly (string Schema, string Name)[] s_tables = [("public", "users"), ("public", "user_keys"), ("app", "users"), ("App", "Users"), ("a.b", "c.d"), ("public", "we[i]rd*")];

    [Theory]
    [InlineData("users", "public.users app.users")]
    [InlineData("public.users", "public.users")]
    [InlineData("*.users", "public.users app.users")]
    [InlineData("user*", "public.users public.user_keys app.users")]
    [InlineData("user?", "public.users app.users")]
    [InlineData("App.*", "App.Users")]
    [InlineData("we[i]rd*", "public.we[i]rd*")]
    [InlineData("c.d", "a.b.c.d")]
    [InlineData("a.b.c.d", "a.b.c.d")]
    public void Patterns_choose_tables(string pattern, string expected) =>
        Assert.Equal(expected.Split(' '), TablePatterns.Select([pattern], s_tables, "Table", t => t).Select(t => $"{t.Schema}.{t.Name}"));

    [Theory]
    [InlineData("nothing")]
    [InlineData("USERS")]
    [InlineData("user.")]
    [InlineData("")]
    [InlineData("(users)")]
    public void A_pattern_that_matches_nothing_is_an_error(string pattern) =>
        Assert.Equal("TableNotFound", Assert.Throws<MoltException>(() => TablePatterns.Select([pattern], s_tables, "Table", t => t)).Id);

    [Fact]
    public void A_table_is_chosen_once() => Assert.Equal(2, TablePatterns.Select(["users", "*.users", "public.users"], s_tables, "Table", t => t).Count);
}
