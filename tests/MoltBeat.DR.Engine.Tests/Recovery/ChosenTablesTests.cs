using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

/// <summary>Restores of chosen tables.</summary>
public sealed class ChosenTablesTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_partitioned_table_brings_all_of_its_partitions_and_nothing_else()
    {
        await using var restored = await RestoreAsync(["app.events"]);
        Assert.Equal("app.events app.events_2024_click_1 app.events_other parts.\"Events 2024\" parts.events_2023 parts.events_2024_click parts.events_2024_click_0 parts.events_2024_rest parts.events_2025",
            await restored.TablesAsync());
        Assert.Equal(6000L, await restored.ScalarAsync<long>("SELECT count(*) FROM app.events"));
        Assert.Equal(0L, await restored.ScalarAsync<long>("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('app', 'parts') AND c.relkind IN ('r', 'p') AND NOT indisvalid AND i.indexrelid <> 'app.only_on_parent'::regclass"));
        foreach (var of in new[] { "app.events", "parts.events_2025", "parts.\"Events 2024\"", "parts.events_2023" })
            await restored.SameDefinitionsAsync(of);
        Assert.Equal(await restored.Source.ScalarAsync<string>("SELECT max(id)::text FROM app.events", Cancel), await restored.ScalarAsync<string>("SELECT last_value::text FROM app.events_id_seq"));
        Assert.DoesNotContain(restored.Result.LeftOut, l => l.Contains("events_pkey", StringComparison.Ordinal));
        Assert.Contains(restored.Result.LeftOut, l => l.Contains("event_note", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_partition_comes_with_its_parents_and_without_its_siblings()
    {
        await using var restored = await RestoreAsync(["parts.events_2024_rest"]);
        Assert.Equal("app.events parts.\"Events 2024\" parts.events_2024_rest", await restored.TablesAsync());
        Assert.Equal(await restored.Source.ScalarAsync<long>("SELECT count(*) FROM parts.events_2024_rest", Cancel), await restored.ScalarAsync<long>("SELECT count(*) FROM app.events"));
        await restored.SameDefinitionsAsync("parts.events_2024_rest");
    }

    [Fact]
    public async Task A_child_comes_with_its_parents_but_without_their_rows()
    {
        await using var restored = await RestoreAsync(["grandchild"]);
        Assert.Equal("app.child app.other_parent app.parent parts.grandchild", await restored.TablesAsync());
        Assert.Equal(5L, await restored.ScalarAsync<long>("SELECT count(*) FROM app.parent"));
        Assert.Equal(0L, await restored.ScalarAsync<long>("SELECT count(*) FROM ONLY app.child"));
    }

    [Fact]
    public async Task Foreign_keys_to_tables_that_were_not_chosen_are_left_out_and_reported()
    {
        await using var restored = await RestoreAsync(["app.egg"]);
        Assert.Equal("app.egg", await restored.TablesAsync());
        Assert.Contains(restored.Result.LeftOut, l => l.Contains("from_chicken", StringComparison.Ordinal));
        Assert.Equal("next_egg", await restored.ScalarAsync<string>("SELECT string_agg(conname, ' ') FROM pg_constraint WHERE contype = 'f'"));

        await using var both = await RestoreAsync(["app.egg", "app.chicken"]);
        Assert.DoesNotContain(both.Result.LeftOut, l => l.Contains("egg", StringComparison.Ordinal) && !l.Contains("not_valid", StringComparison.Ordinal));
        await both.SameDefinitionsAsync("app.egg");
        await both.SameDefinitionsAsync("app.chicken");
    }

    [Fact]
    public async Task Security_triggers_and_replica_identity_come_with_their_table()
    {
        await using var restored = await RestoreAsync(["app.touched", "app.tuned", "secure.*", "app.narrow", "app.log"]);
        foreach (var table in new[] { "app.touched", "app.tuned", "secure.own_rows", "secure.forced", "secure.not_yet_enabled" })
            await restored.SameDefinitionsAsync(table);
        Assert.Equal(100L, await restored.ScalarAsync<long>("SELECT count(*) FROM app.touched"));

        // Without the table that a policy reads, the policy cannot be there; that is said.
        await using var without = await RestoreAsync(["secure.own_rows"]);
        Assert.Contains(without.Result.LeftOut, l => l.Contains("Read, some", StringComparison.Ordinal));
        Assert.True(await without.ScalarAsync<bool>("SELECT relrowsecurity FROM pg_class WHERE oid = 'secure.own_rows'::regclass"));
    }

    [Fact]
    public async Task Sequences_keep_their_values_and_defaults_their_sequences()
    {
        await using var source = await postgres.CreateDatabaseAsync("sequences");
        await source.ExecuteAsync("""
            CREATE TABLE a (id serial, t text); INSERT INTO a (t) SELECT 'x' FROM generate_series(1, 7);
            CREATE TABLE b (id integer DEFAULT nextval('a_id_seq'), other bigserial); INSERT INTO b DEFAULT VALUES
            """, Cancel);
        await using var restored = await RestoreAsync(["b"], source);
        Assert.Equal("public.b", await restored.TablesAsync());
        Assert.Equal(9L, await restored.ScalarAsync<long>("SELECT nextval('a_id_seq')"));
        await restored.SameDefinitionsAsync("public.b");
    }

    [Fact]
    public async Task Rows_that_are_in_the_dump_come_with_chosen_tables_too()
    {
        await using var restored = await RestoreAsync(["app.by_mood", "app.other_method"]);
        Assert.Equal(80L, await restored.ScalarAsync<long>("SELECT count(*) FROM app.by_mood"));
        Assert.Equal(1000L, await restored.ScalarAsync<long>("SELECT count(*) FROM app.other_method"));
    }

    [Fact]
    public async Task Of_what_was_not_compared_only_chosen_tables_are_named()
    {
        await using var restored = await RestoreAsync(["app.by_mood", "app.narrow"]);
        Assert.Contains(restored.Result.NotCompared, t => t.StartsWith("parts.by_mood", StringComparison.Ordinal));
        Assert.All(restored.Result.NotCompared, t => Assert.Contains(".by_mood", t, StringComparison.Ordinal));
        await using var none = await RestoreAsync(["app.narrow"]);
        Assert.Empty(none.Result.NotCompared);
    }

    [Fact]
    public async Task A_name_that_matches_nothing_is_an_error_before_anything_is_made()
    {
        await using var source = await postgres.CreateDatabaseAsync("misspelt");
        await source.ExecuteAsync("CREATE TABLE t (id integer)", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var copy = postgres.Unique("copy");
        await Workshop.RefusedAsync("TableNotFound", () => workshop.RestoreAsync(backup, source.Server, copy, o => o with { Tables = ["T"] }));
        Assert.Equal(0L, await source.Server.ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname = '{copy}'", cancel: Cancel));
    }

    private async Task<Restored> RestoreAsync(string[] tables, TestDatabase? source = null)
    {
        var own = source is null;
        source ??= await postgres.CreateEverythingAsync();
        using var workshop = new Workshop();
        var copy = postgres.Unique("copy");
        var result = await workshop.RestoreAsync(await workshop.BackupAsync(source), source.Server, copy, o => o with { Tables = tables });
        Assert.Equal(ProofStatus.Proven, result.Proof);
        return new Restored(source, own, copy, result);
    }

    private sealed class Restored(TestDatabase source, bool ownsSource, string copy, RestoreResult result) : IAsyncDisposable
    {
        public TestDatabase Source => source;

        public RestoreResult Result => result;

        public Task<T> ScalarAsync<T>(string sql) => source.Server.ScalarAsync<T>(sql, copy, Cancel);

        public Task<string> TablesAsync() => ScalarAsync<string>("""
            SELECT coalesce(string_agg(format('%I.%I', n.nspname, c.relname), ' ' ORDER BY n.nspname, c.relname COLLATE "C"), '') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
            """);

        /// <summary>Indexes, constraints, triggers, policies, statistics, replica identity, security and comments of a table are the source's.</summary>
        public async Task SameDefinitionsAsync(string table)
        {
            var sql = $"""
                SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
                  SELECT pg_get_indexdef(indexrelid) || indisvalid || indisreplident || indisclustered || coalesce((SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = indexrelid), '') || coalesce(obj_description(indexrelid), '') AS line
                    FROM pg_index WHERE indrelid = '{table}'::regclass
                  UNION ALL SELECT conname || pg_get_constraintdef(oid) || coalesce(obj_description(oid), '') FROM pg_constraint WHERE conrelid = '{table}'::regclass
                  UNION ALL SELECT pg_get_triggerdef(oid) || tgenabled::text || coalesce(obj_description(oid), '') FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND NOT tgisinternal
                  UNION ALL SELECT pg_get_ruledef(oid) || ev_enabled::text || coalesce(obj_description(oid), '') FROM pg_rewrite WHERE ev_class = '{table}'::regclass
                  UNION ALL SELECT polname || coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') || coalesce(obj_description(oid), '') FROM pg_policy WHERE polrelid = '{table}'::regclass
                  UNION ALL SELECT pg_get_statisticsobjdef(oid) || coalesce(obj_description(oid), '') FROM pg_statistic_ext WHERE stxrelid = '{table}'::regclass
                  UNION ALL SELECT relreplident::text || relrowsecurity || relforcerowsecurity || coalesce(reloptions::text, '') || coalesce(obj_description(oid), '') FROM pg_class WHERE oid = '{table}'::regclass
                  UNION ALL SELECT attname || format_type(atttypid, atttypmod) || attnotnull || coalesce((SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = attrelid AND adnum = attnum), '') FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped) lines
                """;
            Assert.Equal(await source.ScalarAsync<string>(sql, Cancel), await ScalarAsync<string>(sql));
        }

        public async ValueTask DisposeAsync()
        {
            await source.Server.DropDatabaseAsync(copy, CancellationToken.None);
            if (ownsSource)
                await source.DisposeAsync();
        }
    }
}
