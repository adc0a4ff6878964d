namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// The settings under which rows are read, loaded and digested. All of them are pinned, so that neither the role's nor
/// the database's settings can change a row's form, cut the work short or hide a row.
/// </summary>
public static class SessionSettings
{
    /// <summary>
    /// For client programs: start-up options against what the role or the database sets. A serializable transaction, for one,
    /// is refused by a standby, and these programs begin with queries in whatever isolation is the default.
    /// </summary>
    /// <param name="serverMajor">The server's major version.</param>
    public static string ChildOptions(int serverMajor)
        => @"-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c default_transaction_read_only=off -c default_transaction_isolation=read\ committed -c default_transaction_deferrable=off -c standard_conforming_strings=on -c quote_all_identifiers=off -c client_min_messages=warning"
            + (serverMajor >= 14 ? " -c idle_session_timeout=0" : "") + (serverMajor >= 17 ? " -c transaction_timeout=0" : "");

    /// <summary>One string of SET commands.</summary>
    /// <param name="serverVersion"><c>server_version_num</c>.</param>
    /// <param name="lockTimeout">How long to wait for a lock; zero waits for ever.</param>
    public static string Pin(int serverVersion, TimeSpan lockTimeout)
    {
        var sql = $"""
            SET statement_timeout = 0; SET lock_timeout = {(long)lockTimeout.TotalMilliseconds}; SET idle_in_transaction_session_timeout = 0;
            SET search_path = ''; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';
            SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content';
            SET row_security = off; SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
            SET default_transaction_deferrable = off; SET standard_conforming_strings = on; SET client_min_messages = 'warning';
            SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0; SET jit = off; SET enable_tidscan = on; SET quote_all_identifiers = off;
            """;
        if (serverVersion >= 140000)
        {
            sql += " SET idle_session_timeout = 0;";
        }

        if (serverVersion >= 170000)
        {
            sql += " SET transaction_timeout = 0;";
        }

        return sql;
    }
}
