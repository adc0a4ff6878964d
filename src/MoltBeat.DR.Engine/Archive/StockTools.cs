using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// The first two members: how to restore without this module. <c>restore.sh</c> is POSIX sh and needs tar, zstd, psql and
/// pg_restore, and gpg for an encrypted archive; it makes a new database and removes it again when anything fails.
/// </summary>
public static class StockTools
{
    public static byte[] Readme(string archive, string id, DatabaseProperties database, string serverVersion, DateTimeOffset taken, IReadOnlyList<RecipientInfo> recipients, IReadOnlyList<ExtraKind> extras)
    {
        var encrypted = recipients.Count > 0;
        var tools = encrypted ? "tar, gpg, zstd, psql and pg_restore" : "tar, zstd, psql and pg_restore";
        var (ending, open) = encrypted ? (".gpg", " | gpg --decrypt") : ("", "");
        var keys = encrypted ? $"""


            It is encrypted. One of these OpenPGP keys opens it, with the private key in the keyring of gpg:

                {string.Join("\n    ", recipients.Select(r => $"{r.Fingerprint} (messages are to its key {r.KeyId})"))}
            """ : "";
        return Encoding.UTF8.GetBytes($"""
            A backup of the PostgreSQL database "{database.Name}"
            =====================================================

            taken     {taken.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC
            server    PostgreSQL {serverVersion}
            encoding  {database.Encoding}
            id        {id}
            file      {archive}{keys}

            To restore it with MoltBeat.DR (checks every row count and digest):

                Restore-MoltBackup -Path {archive} -DatabaseUrl postgresql://user@host/postgres -TargetDatabase NEW_NAME

            To restore it with nothing but {tools} (PostgreSQL {serverVersion.Split('.')[0]} or newer):

                tar -xf {archive} restore.sh
                PGHOST=... PGUSER=... sh restore.sh {archive} NEW_NAME

            The roles that own things in the database must be there first. They are in globals.sql.zst{ending}:

                tar -xOf {archive} globals.sql.zst{ending}{open} | zstd -dc | less

            {Beside(archive, extras, ending, open)}What is in the file{(encrypted ? " (names of encrypted members end in .gpg)" : "")}: globals.sql.zst (roles, tablespaces), database.dump (everything but
            the bulk of the rows, from pg_dump -Fc), data/ (rows, in COPY format, zstd), contents.json.zst (row counts and digests
            of every table), manifest.json (what lies where, with SHA-256), index (where the manifest is).

            """);
    }

    private static string Beside(string archive, IReadOnlyList<ExtraKind> extras, string ending, string open)
    {
        var text = new StringBuilder();
        if (extras.Count > 0)
        {
            text.Append("Beside the database there are (tar -tf shows their names):\n\n");
        }

        if (extras.Contains(ExtraKind.Folder))
        {
            text.Append(CultureInfo.InvariantCulture, $"    tar -xOf {archive} files/NAME.tar.zst{ending}{open} | zstd -dc | tar -xp\n\n");
        }

        if (extras.Contains(ExtraKind.Environment))
        {
            text.Append(CultureInfo.InvariantCulture, $"    tar -xOf {archive} environment/NAME.zst{ending}{open} | (umask 077; zstd -dc > .env)\n\n");
        }

        if (extras.Contains(ExtraKind.Redis))
        {
            text.Append(CultureInfo.InvariantCulture, $"    tar -xOf {archive} redis/NAME.0001.zst{ending}{open} | zstd -dc | redis-cli -h HOST --pipe\n\n");
            text.Append("(into a Redis of the same version or a newer one; keys that are there already are left alone, and counted as errors)\n\n");
        }

        return text.ToString();
    }

    /// <summary>What the script must know of this archive's database: shell functions that print SQL, and one that loads all rows.</summary>
    /// <param name="database">What the new database shall be like.</param>
    /// <param name="serverVersion"><c>server_version_num</c> of the source.</param>
    /// <param name="tables">The tables whose rows are in parts, in the order of their numbers.</param>
    public static byte[] RestoreDetails(DatabaseProperties database, int serverVersion, IReadOnlyList<(SourceTable Table, RowFormat Format)> tables)
        => Details(database, serverVersion, [.. tables.Select(t => (t.Table.Schema, t.Table.Name, t.Table.Columns, t.Format))]);

    /// <summary>The same of a backup that has been made.</summary>
    public static byte[] RestoreDetails(Contents contents, int serverVersion)
        => Details(contents.Database, serverVersion, [.. contents.Tables.Select(t => (t.Schema, t.Name, t.Columns, t.Format))]);

    private static byte[] Details(DatabaseProperties database, int serverVersion, IReadOnlyList<(string Schema, string Name, IReadOnlyList<string> Columns, RowFormat Format)> tables)
    {
        // The names of an SQL_ASCII database's tables are bytes, which must reach the server as they are.
        var names = ByteText.EncodingFor(database.Encoding) ?? "UTF8";
        var script = new StringBuilder();
        script.Append("encoding=").Append(database.Encoding).Append(" names=").Append(names).Append('\n');
        script.Append("create_sql() { cat <<'MOLT_SQL'\n").Append(CreateDatabase.Create(database, ":\"db\"", serverVersion)).Append(";\nMOLT_SQL\n}\n");
        script.Append("finish_sql() { cat <<'MOLT_SQL'\n");
        foreach (var statement in CreateDatabase.Finish(database, ":\"db\"", roles: true))
        {
            script.Append(statement).Append(";\n");
        }

        script.Append("MOLT_SQL\n}\nall_rows() {\n:\n");
        var head = Encoding.UTF8.GetBytes(script.ToString());
        script.Clear();
        for (var i = 0; i < tables.Count; i++)
        {
            var (schema, name, columns, format) = tables[i];
            script.Append(CultureInfo.InvariantCulture,
                $"rows {i + 1} {ShellQuote(CopySql.In(schema, name, columns, format, names))}\n");
        }

        script.Append("}\n");
        return [.. head, .. ByteText.Bytes(script.ToString(), database.Encoding)];
    }

    /// <summary>The script. In an encrypted archive it tells nothing of the database, and reads that from a member of its own.</summary>
    public static byte[] RestoreScript(ReadOnlySpan<byte> details, bool encrypted)
        => encrypted
            ? Encoding.UTF8.GetBytes(Head + EncryptedMembers + Rows + EncryptedBody + End)
            : [.. Encoding.UTF8.GetBytes(Head + OpenMembers + Rows), .. details, .. Encoding.UTF8.GetBytes(OpenBody + End)];

    /// <summary>A script of an archive that is not encrypted, made to read a folder with the members in it: the first argument is that folder.</summary>
    /// <returns>Null when it is not a script that this version knows.</returns>
    public static byte[]? ForFolder(byte[] script)
    {
        // One char a byte: the names in it may be no UTF-8.
        var text = Encoding.Latin1.GetString(script);
        (string From, string To)[] changes =
        [
            ("sh restore.sh ARCHIVE NEW_DATABASE", "sh restore.sh FOLDER NEW_DATABASE"),
            ("for tool in tar zstd", "for tool in zstd"),
            ("tar -tf \"$archive\" >\"$work/members\"", "(cd \"$archive\" && find . -type f) | sed 's,^\\./,,' | LC_ALL=C sort >\"$work/members\""),
            ("member() { tar -xOf \"$archive\" \"$1\"; }", "member() { cat \"$archive/$1\"; }"),
        ];
        foreach (var (from, to) in changes)
        {
            if (!text.Contains(from, StringComparison.Ordinal))
            {
                return null;
            }

            text = text.Replace(from, to, StringComparison.Ordinal);
        }

        return Encoding.Latin1.GetBytes(text);
    }

    private static string ShellQuote(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private const string Head = """
        #!/bin/sh
        # Restores this backup with stock tools into a new database, which is removed again when anything fails.
        #   sh restore.sh ARCHIVE NEW_DATABASE [JOBS]
        # Where to: PGHOST, PGPORT, PGUSER, PGPASSWORD and the like, as for psql. Needs tar, zstd, psql, pg_restore.
        set -eu
        [ $# -ge 2 ] || { echo 'usage: sh restore.sh ARCHIVE NEW_DATABASE [JOBS]' >&2; exit 2; }
        archive=$1 target=$2 jobs=${3:-2}
        for tool in tar zstd psql pg_restore; do
          command -v "$tool" >/dev/null || { echo "restore.sh: $tool is not installed" >&2; exit 1; }
        done
        export PGCLIENTENCODING=UTF8
        export PGOPTIONS="${PGOPTIONS:-} -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c default_transaction_read_only=off -c default_transaction_isolation=read\\ committed -c standard_conforming_strings=on -c quote_all_identifiers=off -c row_security=off -c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c lc_monetary=C -c xmloption=content -c client_min_messages=warning"
        work=$(mktemp -d)
        made=0
        dbname="dbname='$(printf '%s' "$target" | sed "s/[\\\\']/\\\\&/g")'"
        admin() { PGDATABASE=${MAINTENANCE_DB:-postgres} psql -X -q -v ON_ERROR_STOP=1 -v db="$target" -f -; }
        finish() {
          code=$?
          trap - EXIT INT TERM
          rm -rf "$work"
          if [ "$code" -ne 0 ]; then
            if [ "$made" -eq 1 ]; then echo 'DROP DATABASE :"db";' | admin || true; fi
            echo "restore.sh: failed; nothing of it is left" >&2
          fi
          exit "$code"
        }
        trap finish EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        tar -tf "$archive" >"$work/members"

        """;

    private const string OpenMembers = """
        member() { tar -xOf "$archive" "$1"; }

        """;

    private const string EncryptedMembers = """
        command -v "${GPG:=gpg}" >/dev/null || { echo "restore.sh: gpg is not installed" >&2; exit 1; }
        member() {
          { tar -xOf "$archive" "$1" || echo tar >"$work/failed"; } | { "$GPG" --quiet --decrypt || echo gpg >"$work/failed"; }
          [ ! -e "$work/failed" ] || return 1
        }

        """;

    private const string Rows = """
        rows() {
          for name in $(grep "^data/$1[_/]" "$work/members" || true); do
            echo "  $name"
            { member "$name" || echo member >"$work/failed"; } |
              { zstd -dc || echo zstd >"$work/failed"; } |
              PGCLIENTENCODING=$names PGDATABASE=$target psql -X -q -v ON_ERROR_STOP=1 -c "SET client_encoding = '$encoding'; $2"
            [ ! -e "$work/failed" ] || exit 1
          done
        }

        """;

    private const string OpenBody = """
        member database.dump >"$work/database.dump"
        section() { pg_restore --exit-on-error --section="$1" -d "$dbname" "$work/database.dump"; }
        indexes() { pg_restore --exit-on-error --section=post-data -j "$jobs" -d "$dbname" "$work/database.dump"; }

        """;

    // Decrypted the dump is to touch no disk, and a pipe feeds only one job. pg_restore does not read on to the end of what it
    // does not need, and gpg would take that for a failure: the rest is thrown away.
    private const string EncryptedBody = """
        details=$(member restore.details.sh.gpg)
        eval "$details"
        section() {
          { member database.dump.gpg || echo member >"$work/failed"; } |
            (code=0; pg_restore --exit-on-error --section="$1" -d "$dbname" || code=$?; cat >/dev/null; exit "$code")
          [ ! -e "$work/failed" ] || exit 1
        }
        indexes() { section post-data; }

        """;

    private const string End = """
        create_sql | admin
        made=1
        echo 'schema'
        section pre-data
        echo 'rows'
        all_rows
        section data
        echo 'indexes, keys, triggers'
        indexes
        finish_sql | admin
        PGDATABASE=$target psql -X -q -v ON_ERROR_STOP=1 -c 'ANALYZE'
        echo "restored into $target"

        """;
}
