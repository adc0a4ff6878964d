using System.Globalization;
using System.Text;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>SQL that makes a database like one described by <see cref="DatabaseProperties"/>, under another name.</summary>
public static class CreateDatabase
{
    /// <summary>The CREATE DATABASE command.</summary>
    /// <param name="properties">What it shall be like.</param>
    /// <param name="name">Its name, already quoted (or a psql variable in its place).</param>
    /// <param name="serverVersion"><c>server_version_num</c> of the target.</param>
    /// <param name="tablespace">Whether to ask for the same tablespace.</param>
    public static string Create(DatabaseProperties properties, string name, int serverVersion, bool tablespace = true)
    {
        var sql = new StringBuilder($"CREATE DATABASE {name} TEMPLATE template0 ENCODING {SqlName.Literal(properties.Encoding)}");
        sql.Append(CultureInfo.InvariantCulture, $" LC_COLLATE {SqlName.Literal(properties.Collate)} LC_CTYPE {SqlName.Literal(properties.CType)}");
        if (serverVersion >= 150000 && properties.LocaleProvider is { } provider)
        {
            sql.Append(provider switch { "i" => " LOCALE_PROVIDER icu", "b" => " LOCALE_PROVIDER builtin", _ => " LOCALE_PROVIDER libc" });
            if (properties.Locale is { } locale)
            {
                sql.Append(provider == "b" ? " BUILTIN_LOCALE " : " ICU_LOCALE ").Append(SqlName.Literal(locale));
            }

            if (properties.IcuRules is { } rules && serverVersion >= 160000)
            {
                sql.Append(" ICU_RULES ").Append(SqlName.Literal(rules));
            }
        }

        if (tablespace && properties.Tablespace is { } space)
        {
            sql.Append(" TABLESPACE ").Append(SqlName.Quote(space));
        }

        return sql.ToString();
    }

    /// <summary>
    /// What follows once the rows are in: connection limit, comment, rights, settings, owner. Last, since such a setting
    /// (<c>default_transaction_read_only</c>, say) would stand in the restore's way.
    /// </summary>
    /// <param name="properties">What it shall be like.</param>
    /// <param name="name">Its name, already quoted (or a psql variable in its place).</param>
    /// <param name="roles">Whether owner, rights and settings of roles are wanted.</param>
    public static IEnumerable<string> Finish(DatabaseProperties properties, string name, bool roles)
    {
        if (properties.Comment is { } comment)
        {
            yield return $"COMMENT ON DATABASE {name} IS {SqlName.Literal(comment)}";
        }

        foreach (var setting in properties.Settings.Where(s => roles || s.Role is null))
        {
            var whose = setting.Role is { } role ? $"ROLE {SqlName.Quote(role)} IN DATABASE {name}" : $"DATABASE {name}";
            yield return $"ALTER {whose} SET {string.Join('.', setting.Name.Split('.').Select(SqlName.Quote))} TO {SettingValue(setting.Name, setting.Value)}";
        }

        if (roles)
        {
            if (properties.Grants is { } grants)
            {
                yield return $"REVOKE ALL ON DATABASE {name} FROM PUBLIC";
                yield return $"REVOKE ALL ON DATABASE {name} FROM {SqlName.Quote(properties.Owner)}";
                foreach (var grant in grants)
                {
                    var grantee = grant.Grantee.Length == 0 ? "PUBLIC" : SqlName.Quote(grant.Grantee);
                    yield return $"GRANT {grant.Privilege} ON DATABASE {name} TO {grantee}{(grant.Grantable ? " WITH GRANT OPTION" : "")}";
                }
            }

            yield return $"ALTER DATABASE {name} OWNER TO {SqlName.Quote(properties.Owner)}";
        }

        if (properties.IsTemplate)
        {
            yield return $"ALTER DATABASE {name} IS_TEMPLATE true";
        }

        if (properties.ConnectionLimit != -1)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"ALTER DATABASE {name} CONNECTION LIMIT {properties.ConnectionLimit}");
        }
    }

    /// <summary>Takes back what <see cref="Finish"/> with roles has set, so that it can set other properties.</summary>
    public static IEnumerable<string> Forget(DatabaseProperties properties, string name)
    {
        yield return $"COMMENT ON DATABASE {name} IS NULL";
        yield return $"ALTER DATABASE {name} RESET ALL";
        foreach (var role in properties.Settings.Select(s => s.Role).OfType<string>().Distinct())
        {
            yield return $"ALTER ROLE {SqlName.Quote(role)} IN DATABASE {name} RESET ALL";
        }

        if (properties.Grants is { } grants)
        {
            foreach (var grantee in grants.Select(g => g.Grantee).Distinct())
            {
                yield return $"REVOKE ALL ON DATABASE {name} FROM {(grantee.Length == 0 ? "PUBLIC" : SqlName.Quote(grantee))}";
            }

            // What a database has that nobody has granted anything on.
            yield return $"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO PUBLIC";
            yield return $"GRANT ALL ON DATABASE {name} TO {SqlName.Quote(properties.Owner)}";
        }

        yield return $"ALTER DATABASE {name} IS_TEMPLATE false CONNECTION LIMIT -1";
    }

    /// <summary>
    /// The parameters that PostgreSQL marks GUC_LIST_QUOTE keep their value as a list of quoted names, which has to be given
    /// back as a list: in quotes as a whole it would be one strange name. (pg_dump's makeAlterConfigCommand does likewise.)
    /// </summary>
    private static string SettingValue(string name, string value)
        => name.ToLowerInvariant() is "local_preload_libraries" or "search_path" or "session_preload_libraries" or "shared_preload_libraries" or "temp_tablespaces" or "unix_socket_directories"
            ? string.Join(", ", SplitNames(value).Select(SqlName.Literal))
            : SqlName.Literal(value);

    private static IEnumerable<string> SplitNames(string list)
    {
        var item = new StringBuilder();
        var quoted = false;
        for (var i = 0; i < list.Length; i++)
        {
            if (list[i] == '"')
            {
                if (quoted && i + 1 < list.Length && list[i + 1] == '"')
                {
                    item.Append(list[i++]);
                }
                else
                {
                    quoted = !quoted;
                }
            }
            else if (list[i] == ',' && !quoted)
            {
                yield return item.ToString();
                item.Clear();
            }
            else if (quoted || !char.IsWhiteSpace(list[i]))
            {
                item.Append(list[i]);
            }
        }

        yield return item.ToString();
    }
}
