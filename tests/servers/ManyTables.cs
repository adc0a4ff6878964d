namespace MoltBeat.TestServers;

/// <summary>A great many small tables, for what costs something per table.</summary>
public static class ManyTables
{
    /// <summary>Adds tables <c>many.t00001</c>, <c>many.t00002</c>, … to a database, each with a primary key.</summary>
    /// <param name="database">The database.</param>
    /// <param name="count">How many tables.</param>
    /// <param name="rows">Rows of each.</param>
    /// <param name="cancel">Ends the attempt.</param>
    public static Task CreateAsync(TestDatabase database, int count = 5_000, int rows = 3, CancellationToken cancel = default) =>
        // Commits now and then: one transaction may not hold locks on so many tables and indexes. No column is wide
        // enough to need a TOAST table, which would take most of the time.
        database.ExecuteAsync(
            $"""
            DO $$
            BEGIN
                CREATE SCHEMA IF NOT EXISTS many;
                FOR i IN 1..{count} LOOP
                    EXECUTE format('CREATE TABLE many.t%s (id integer PRIMARY KEY, name varchar(20), amount numeric(10,2))', lpad(i::text, 5, '0'));
                    EXECUTE format('INSERT INTO many.t%s SELECT g, ''row '' || g, g * %s FROM generate_series(1, {rows}) g', lpad(i::text, 5, '0'), i);
                    IF i % 250 = 0 THEN
                        COMMIT;
                    END IF;
                END LOOP;
            END $$
            """,
            cancel);
}
