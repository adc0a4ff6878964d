using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Recovery.Rows;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Encryption;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Rows;

/// <summary>Rows that were deleted come back, with all that went with them, and nothing else changes.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class RowRestoreTests(PostgresFixture postgres, GnuPgFixture gnuPg, CephFixture ceph)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_cascade_took_along_comes_back_and_the_undo_takes_exactly_that_out_again(bool text)
    {
        await using var shop = await RowShop.OpenAsync(postgres, text: text);
        var before = await shop.StateAsync();
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id IN ('agent1', 'agent7')");
        var lost = await shop.StateAsync();
        Assert.NotEqual(before, lost);

        var tables = await shop.RestoreAsync("agents", "id in ('agent1','agent7')", o => o with { IncludeDependents = true });
        Assert.Equal(before, await shop.StateAsync());
        Assert.All(tables, t => Assert.True(t.IsDone));
        Assert.Equal(["app.agents 2 0", "app.messages 20 0", "app.Attach ments 40 0", "app.notes 8 0", "app.agents 0 2"], tables.OrderBy(t => Array.IndexOf(["app.agents", "app.messages", "app.Attach ments", "app.notes"], t.Table) + (t.Role == "Link" ? 9 : 0)).Select(t => $"{t.Table} {t.Inserted} {t.Updated}"));
        Assert.Equal("Link", tables.Single(t => t.Updated > 0).Role);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(shop.UndoFile));
        Assert.Equal(0L, await shop.ScalarAsync<long>("SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname LIKE 'molt%' AND pg_table_is_visible(oid)"));

        await shop.UndoAsync();
        Assert.Equal(lost, await shop.StateAsync());

        // A second time there is nothing to take out, and that is said.
        Assert.Contains("Nothing was undone", (await Assert.ThrowsAsync<TestServerException>(shop.UndoAsync)).Message, StringComparison.Ordinal);
        Assert.Equal(lost, await shop.StateAsync());
    }

    [Fact]
    public async Task Without_dependents_only_the_rows_and_their_parents_come_back()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.users WHERE id = 3");
        var tables = await shop.RestoreAsync("app.messages", "id IN (1, 21, 22, 10000)");
        Assert.Equal(["app.messages 2 Selected", "app.agents 2 Parent", "app.users 1 Parent"], tables.Select(t => $"{t.Table} {t.Inserted} {t.Role}"));
        Assert.Equal("2 2 18", await shop.ScalarAsync<string>("SELECT (SELECT count(*) FROM app.messages WHERE id IN (1, 2)) || ' ' || (SELECT count(*) FROM app.agents WHERE user_id = 3) || ' ' || (SELECT count(*) FROM app.users WHERE id <> 3 AND id <> 4)"));
    }

    [Fact]
    public async Task A_preview_counts_exactly_shows_rows_and_writes_nothing()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");
        var lost = await shop.StateAsync();
        RowRestorePlan? plan = null;
        var tables = await shop.RestoreAsync("agents", "id IN ('agent7', 'agent8')", o => o with { IncludeDependents = true }, p =>
        {
            plan = p;
            return Task.FromResult(false);
        });
        Assert.Equal(lost, await shop.StateAsync());
        Assert.False(File.Exists(shop.UndoFile));
        Assert.Equal((1 + 10 + 20 + 4, 0L), (plan!.Inserted, plan.Updated));
        var agents = tables[0];
        Assert.Equal(("app.agents", 1L, 1L, false), (agents.Table, agents.Inserted, agents.Present, agents.IsDone));
        Assert.Equal("agent7", Assert.Single(agents.Samples)["id"]);
        Assert.Contains(agents.Notes, n => n.Contains("what refers to them was not looked for", StringComparison.Ordinal));
        Assert.Equal(5, tables.Single(t => t.Table == "app.messages").Samples.Count);
    }

    [Fact]
    public async Task Changed_rows_are_put_back_only_when_asked_and_the_undo_gives_the_newer_values_again()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        var before = await shop.StateAsync();
        await shop.ExecuteAsync("UPDATE app.agents SET mood = 'angry', settings = '{}' WHERE id IN ('agent1', 'agent2'); DELETE FROM app.agents WHERE id = 'agent4'");
        var lost = await shop.StateAsync();
        Assert.Equal(2, (await shop.RestoreAsync("agents", "id IN ('agent1', 'agent2')")).Single().Different);
        Assert.Equal(lost, await shop.StateAsync());

        var done = await shop.RestoreAsync("agents", "id IN ('agent1', 'agent2', 'agent4')", o => o with { IncludeChanged = true, IncludeDependents = true });
        Assert.Equal((1L, 2L), (done[0].Inserted, done[0].Updated));
        Assert.Equal(before, await shop.StateAsync());
        await shop.UndoAsync();
        Assert.Equal(lost, await shop.StateAsync());
    }

    [Fact]
    public async Task The_undo_touches_nothing_when_a_row_has_changed_or_another_refers_to_it()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");
        await shop.RestoreAsync("agents", "id = 'agent7'", o => o with { IncludeDependents = true });
        var restored = await shop.StateAsync();

        await shop.ExecuteAsync("INSERT INTO app.messages (id, agent_id, body) VALUES (-1, 'agent7', 'came later')");
        Assert.Contains("refer to restored rows", (await Assert.ThrowsAsync<TestServerException>(shop.UndoAsync)).Message, StringComparison.Ordinal);
        Assert.Equal(1L, await shop.ScalarAsync<long>("SELECT count(*) FROM app.messages WHERE id = -1"));
        await shop.ExecuteAsync("DELETE FROM app.messages WHERE id = -1");
        Assert.Equal(restored, await shop.StateAsync());

        await shop.ExecuteAsync("UPDATE app.messages SET body = 'changed' WHERE agent_id = 'agent7' AND id = (SELECT min(id) FROM app.messages WHERE agent_id = 'agent7')");
        Assert.Contains("are as they were restored", (await Assert.ThrowsAsync<TestServerException>(shop.UndoAsync)).Message, StringComparison.Ordinal);
        Assert.Equal(1L, await shop.ScalarAsync<long>("SELECT count(*) FROM app.agents WHERE id = 'agent7'"));
    }

    [Fact]
    public async Task A_foreign_key_that_came_since_keeps_the_undo_from_taking_its_rows_along()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");
        await shop.RestoreAsync("agents", "id = 'agent7'");
        await shop.ExecuteAsync("CREATE TABLE app.later (agent text REFERENCES app.agents ON DELETE CASCADE); INSERT INTO app.later VALUES ('agent7')");
        Assert.Contains("foreign keys have been added", (await Assert.ThrowsAsync<TestServerException>(shop.UndoAsync)).Message, StringComparison.Ordinal);
        Assert.Equal(1L, await shop.ScalarAsync<long>("SELECT count(*) FROM app.later"));
    }

    [Fact]
    public async Task A_unique_value_that_a_living_row_holds_is_an_error_skipped_or_put_over_it()
    {
        await using var shop = await RowShop.OpenAsync(postgres, """
            CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE, name text); CREATE TABLE pets (id int PRIMARY KEY, owner int NOT NULL REFERENCES people);
            INSERT INTO people VALUES (1, 'a@x', 'one'), (2, 'b@x', 'two'); INSERT INTO pets VALUES (10, 1), (20, 2);
            """);
        var before = await shop.StateAsync("people", "pets");
        await shop.ExecuteAsync("DELETE FROM pets; DELETE FROM people; INSERT INTO people VALUES (7, 'a@x', 'new one')");
        var lost = await shop.StateAsync("people", "pets");
        Task<IReadOnlyList<RestoredRows>> RestoreAsync(ConflictRule rule) => shop.RestoreAsync("people", "true", o => o with { IncludeDependents = true, OnConflict = rule });

        var error = await RowShop.RefusedAsync("UniqueConflict", () => RestoreAsync(ConflictRule.Fail));
        Assert.Contains("people_email_key", error.Message, StringComparison.Ordinal);
        Assert.Equal(lost, await shop.StateAsync("people", "pets"));

        var skipped = await RestoreAsync(ConflictRule.Skip);
        Assert.Equal(["people 1 1", "pets 1 1"], skipped.Select(t => $"{t.Table[7..]} {t.Inserted} {t.Skipped}"));
        Assert.Equal("20 of 2; 2 7", await shop.ScalarAsync<string>("SELECT string_agg(id || ' of ' || owner, ', ') || '; ' || (SELECT string_agg(id::text, ' ' ORDER BY id) FROM people) FROM pets"));
        await shop.UndoAsync();
        Assert.Equal(lost, await shop.StateAsync("people", "pets"));

        File.Delete(shop.UndoFile);
        var over = await RestoreAsync(ConflictRule.Update);
        Assert.Equal(["people 1 1", "pets 2 0"], over.Select(t => $"{t.Table[7..]} {t.Inserted} {t.Updated}"));
        Assert.Equal(before, await shop.StateAsync("people", "pets"));
        await shop.UndoAsync();
        Assert.Equal(lost, await shop.StateAsync("people", "pets"));
    }

    [Fact]
    public async Task Circles_self_references_composite_keys_and_two_keys_to_one_table_are_put_in_order()
    {
        await using var shop = await RowShop.OpenAsync(postgres, """
            CREATE TABLE a (x int, y text, PRIMARY KEY (x, y)); CREATE TABLE b (id int PRIMARY KEY, x int, y text, FOREIGN KEY (x, y) REFERENCES a ON DELETE CASCADE);
            ALTER TABLE a ADD b int; INSERT INTO a VALUES (1, 'one', NULL), (2, 'two', NULL); INSERT INTO b VALUES (1, 1, 'one'), (2, 2, 'two'); UPDATE a SET b = x; ALTER TABLE a ALTER b SET NOT NULL;
            ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b ON DELETE CASCADE;
            CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE, also int REFERENCES tree ON DELETE CASCADE, root int NOT NULL REFERENCES b ON DELETE CASCADE);
            INSERT INTO tree SELECT i, nullif(i / 2, 0), nullif(i / 3, 0), 1 FROM generate_series(1, 40) i; INSERT INTO tree VALUES (50, 50, 50, 2);
            """);
        string[] tables = ["a", "b", "tree"];
        var before = await shop.StateAsync(tables);
        await shop.ExecuteAsync("DELETE FROM a WHERE x = 1; DELETE FROM tree WHERE id = 50");
        var lost = await shop.StateAsync(tables);
        Assert.Equal("0", await shop.ScalarAsync<string>("SELECT count(*)::text FROM tree"));
        await shop.RestoreAsync("tree", "id = 1 OR id = 50", o => o with { IncludeDependents = true });
        Assert.Equal(before, await shop.StateAsync(tables));
        await shop.UndoAsync();
        Assert.Equal(lost, await shop.StateAsync(tables));
    }

    [Fact]
    public async Task Partitioned_tables_identity_generated_domains_and_rows_without_key_come_back_as_they_were()
    {
        await using var shop = await RowShop.OpenAsync(postgres, """
            CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TYPE pair AS (a int, b text);
            CREATE TABLE owner (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n positive, twice int GENERATED ALWAYS AS (n * 2) STORED, p pair, m money, f float8[], x xml, c char(5), v varchar(3), num numeric);
            INSERT INTO owner (n, p, m, f, x, c, v, num) SELECT i, ROW(i, 'it''s')::pair, i::money, ARRAY[i / 3.0, 'NaN'], '<a/>', 'ab', 'abc', 1.50 FROM generate_series(1, 9) i;
            CREATE TABLE event (id int, owner int REFERENCES owner ON DELETE CASCADE, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
            CREATE TABLE event_old PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); CREATE TABLE event_new (at date NOT NULL, owner int, id int NOT NULL); ALTER TABLE event ATTACH PARTITION event_new FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
            INSERT INTO event SELECT i, i % 9 + 1, '2020-07-01'::date + i FROM generate_series(1, 300) i;
            CREATE TABLE log (owner int REFERENCES owner ON DELETE CASCADE, t text); INSERT INTO log SELECT i % 9 + 1, 'x' FROM generate_series(1, 45) i;
            """);
        string[] tables = ["owner", "event", "log"];
        var before = await shop.StateAsync(tables);
        await shop.ExecuteAsync("DELETE FROM owner WHERE id IN (2, 3); DELETE FROM log WHERE owner = 4 AND ctid IN (SELECT ctid FROM log WHERE owner = 4 LIMIT 2); ALTER SEQUENCE owner_id_seq RESTART WITH 2");
        var lost = await shop.StateAsync(tables);
        await shop.RestoreAsync("owner", "n BETWEEN 2 AND 3", o => o with { IncludeDependents = true });
        Assert.Equal(3, await shop.ScalarAsync<long>("SELECT last_value FROM owner_id_seq"));
        File.Move(shop.UndoFile, shop.UndoFile + "1");
        var logs = await shop.RestoreAsync("log", "owner = 4");
        Assert.Equal((2L, 3L), (logs[0].Inserted, logs[0].Present));
        Assert.Equal(before, await shop.StateAsync(tables));
        await shop.UndoAsync();
        File.Move(shop.UndoFile + "1", shop.UndoFile, overwrite: true);
        await shop.UndoAsync();
        Assert.Equal(lost, await shop.StateAsync(tables));
    }

    [Fact]
    public async Task Columns_are_matched_by_name_new_ones_get_defaults_and_what_cannot_be_is_named()
    {
        await using var shop = await RowShop.OpenAsync(postgres, """
            CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id int PRIMARY KEY, small int, gone text, mood mood, num text);
            INSERT INTO t VALUES (1, 11, 'was', 'a', '1.5'), (2, 22, 'was', 'b', 'none'), (3, 33, 'was', 'a', '7');
            """);
        await shop.ExecuteAsync("DELETE FROM t; ALTER TABLE t DROP gone, ADD added timestamptz NOT NULL DEFAULT '2026-01-01Z', ALTER small TYPE bigint, ALTER num TYPE int USING 0, ALTER mood TYPE text, ALTER id TYPE bigint");
        Assert.Contains("num (text in the backup, integer now)", (await RowShop.RefusedAsync("ColumnNotCastable", () => shop.RestoreAsync("t", "id = 2"))).Message, StringComparison.Ordinal);
        var done = (await shop.RestoreAsync("t", "id = 3 AND gone = 'was'")).Single();
        Assert.Contains(done.Notes, n => n.EndsWith("left out: gone.", StringComparison.Ordinal));
        Assert.Contains(done.Notes, n => n.EndsWith("defaults: added.", StringComparison.Ordinal));
        Assert.Equal("(3,33,a,7,\"2026-01-01 00:00:00+00\")", await shop.ScalarAsync<string>("SET TimeZone = 'UTC'; SELECT t::text FROM t"));

        await shop.ExecuteAsync("ALTER TABLE t ALTER added DROP DEFAULT; DELETE FROM t");
        File.Delete(shop.UndoFile);
        Assert.Contains("added", (await RowShop.RefusedAsync("ColumnImpossible", () => shop.RestoreAsync("t", "id = 3"))).Message, StringComparison.Ordinal);

        // What would be cut or rounded without a word is refused.
        await shop.ExecuteAsync("ALTER TABLE t ALTER added SET DEFAULT now(), ALTER num TYPE varchar(3) USING '', ADD CHECK (id <> 1)");
        Assert.Contains("t_id_check", (await RowShop.RefusedAsync("RowRefused", () => shop.RestoreAsync("t", "id = 1"))).Message, StringComparison.Ordinal);
        Assert.Contains("too long", (await RowShop.RefusedAsync("RowRefused", () => shop.RestoreAsync("t", "id = 2"))).Message, StringComparison.Ordinal);
        await shop.ExecuteAsync("ALTER TABLE t ALTER num TYPE numeric(3, 0) USING 0, DROP CONSTRAINT t_id_check");
        await RowShop.RefusedAsync("RowsNotProven", () => shop.RestoreAsync("t", "id = 1"));
        Assert.Equal(0L, await shop.ScalarAsync<long>("SELECT count(*) FROM t"));
        await shop.ExecuteAsync("DROP TABLE t");
        await RowShop.RefusedAsync("TableGone", () => shop.RestoreAsync("t", "id = 1"));
    }

    [Fact]
    public async Task A_parent_that_nobody_has_is_named()
    {
        await using var shop = await RowShop.OpenAsync(postgres, "CREATE TABLE child (id int PRIMARY KEY, parent int); INSERT INTO child VALUES (1, 5); CREATE TABLE parent (id int PRIMARY KEY)");
        await shop.ExecuteAsync("DELETE FROM child; ALTER TABLE child ADD CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parent");
        Assert.Contains("to_parent", (await RowShop.RefusedAsync("ParentMissing", () => shop.RestoreAsync("child", "true"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Triggers_fire_and_what_they_change_is_an_error_unless_it_is_allowed_or_they_are_off()
    {
        await using var shop = await RowShop.OpenAsync(postgres, """
            CREATE TABLE t (id int PRIMARY KEY, at timestamptz); INSERT INTO t VALUES (1, '2020-01-01Z'); CREATE TABLE seen (id int);
            CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END'; CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.seen VALUES (NEW.id); RETURN NULL; END';
            """);
        await shop.ExecuteAsync("DELETE FROM t; CREATE TRIGGER a_touch BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch(); CREATE TRIGGER b_count AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION count_it(); ALTER TABLE t ENABLE ALWAYS TRIGGER b_count");
        Assert.Contains("a_touch", (await RowShop.RefusedAsync("RowsNotProven", () => shop.RestoreAsync("t", "true"))).Message, StringComparison.Ordinal);
        Assert.Equal("0 0", await shop.ScalarAsync<string>("SELECT (SELECT count(*) FROM t) || ' ' || (SELECT count(*) FROM seen)"));
        Assert.False(File.Exists(shop.UndoFile));

        RowRestorePlan? plan = null;
        await shop.RestoreAsync("t", "true", o => o with { AllowTriggerChanges = true }, p =>
        {
            plan = p;
            return Task.FromResult(true);
        });
        Assert.Equal(["public.t.a_touch", "public.t.b_count"], plan!.Triggers);
        Assert.Equal("1 1", await shop.ScalarAsync<string>("SELECT (SELECT count(*) FROM t) || ' ' || (SELECT count(*) FROM seen)"));
        await shop.UndoAsync();

        File.Delete(shop.UndoFile);
        await shop.RestoreAsync("t", "true", o => o with { SkipTriggers = true });
        Assert.Equal("true 1 a_touch O,b_count A", await shop.ScalarAsync<string>("SELECT (SELECT (at = '2020-01-01Z')::text FROM t) || ' ' || (SELECT count(*) FROM seen) || ' ' || (SELECT string_agg(tgname || ' ' || tgenabled::text, ',' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal)"));
    }

    [Fact]
    public async Task The_condition_can_write_nothing_and_is_one_condition()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("CREATE FUNCTION app.wipe() RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM app.notes; RETURN true; END'");
        var before = await shop.StateAsync();
        foreach (var where in new[] { "true); DELETE FROM app.notes; --", "app.wipe()", "nothing = 1", "id = 'a' ORDER BY 1", "" })
            await RowShop.RefusedAsync("ConditionInvalid", () => shop.RestoreAsync("agents", where));
        Assert.Equal(before, await shop.StateAsync());
        await RowShop.RefusedAsync("TableNotFound", () => shop.RestoreAsync("Agents", "true"));
    }

    [Fact]
    public async Task Rows_that_change_while_somebody_thinks_are_looked_at_again()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");
        await RowShop.RefusedAsync("RowsChanged", () => shop.RestoreAsync("agents", "id = 'agent7'", approve: async _ =>
        {
            await shop.ExecuteAsync("INSERT INTO app.agents (id, user_id) VALUES ('agent7', 1)");
            return true;
        }));
        Assert.Equal("calm", await shop.ScalarAsync<string>("SELECT mood::text FROM app.agents WHERE id = 'agent7' AND user_id = 1"));
        Assert.False(File.Exists(shop.UndoFile));
    }

    [Fact]
    public async Task A_lock_is_waited_for_only_so_long()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");
        await using var holder = await shop.Database.OpenAsync(Cancel);
        await using var command = holder.CreateCommand();
        command.CommandText = "BEGIN; LOCK TABLE app.agents IN SHARE MODE";
        await command.ExecuteNonQueryAsync(Cancel);
        await RowShop.RefusedAsync("LockTimeout", () => shop.RestoreAsync("agents", "id = 'agent7'", o => o with { LockTimeout = TimeSpan.FromSeconds(0.3) }));
        Assert.False(File.Exists(shop.UndoFile));
    }

    [Fact]
    public async Task An_encrypted_backup_in_a_bucket_serves_as_well()
    {
        var keys = await gnuPg.KeysAsync();
        using var bucket = await ceph.CreateBucketAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Curve));
        await using var shop = await RowShop.OpenAsync(postgres, with: o => o with { Seal = seal, Destinations = [bucket.Store()] });
        var before = await shop.StateAsync();
        await shop.ExecuteAsync("DELETE FROM app.users WHERE id = 3");
        using var store = BackupStores.Open(bucket.Store(), new Listener());
        await RowShop.RefusedAsync("PrivateKeyNeeded", () => shop.RestoreAsync("users", "id = 3", store: store));
        using var opener = await keys.OpenerAsync(keys.Curve);
        await shop.RestoreAsync("users", "id = 3", o => o with { IncludeDependents = true, Access = new ArchiveAccess(opener) }, store: store);
        Assert.Equal(before, await shop.StateAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rows_that_are_longer_than_what_is_held_of_them_come_back_whole(bool text)
    {
        await using var shop = await RowShop.OpenAsync(postgres, """
            CREATE TABLE parent (id uuid PRIMARY KEY); INSERT INTO parent SELECT md5(i::text)::uuid FROM generate_series(1, 4) i;
            CREATE TABLE child (id int PRIMARY KEY, data bytea, parent uuid REFERENCES parent ON DELETE CASCADE);
            INSERT INTO child SELECT i, decode(repeat(md5(i::text), CASE WHEN i % 100 = 50 THEN 600000 ELSE 3 END), 'hex'), md5((i % 4 + 1)::text)::uuid FROM generate_series(1, 300) i
            """, text);
        const string State = "SELECT count(*) || md5(string_agg(md5(data) || id || parent, ',' ORDER BY id)) FROM child";
        var before = await shop.ScalarAsync<string>(State);
        await shop.ExecuteAsync("DELETE FROM parent WHERE id IN (md5('1')::uuid, md5('3')::uuid)");
        await shop.RestoreAsync("parent", "true", o => o with { IncludeDependents = true });
        Assert.Equal(before, await shop.ScalarAsync<string>(State));
    }
}
