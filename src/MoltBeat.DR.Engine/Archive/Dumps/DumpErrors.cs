namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>What can be wrong with a dump.</summary>
internal static class DumpErrors
{
    public static MoltException Damaged(string location, string how, Exception? inner = null)
        => new("DumpDamaged", ErrorKind.InvalidData, $"{location} is damaged: {how}.", "Use another copy of this dump, or another backup.", location, inner);

    public static MoltException Incomplete(string location)
        => new("DumpIncomplete", ErrorKind.InvalidData, $"{location} does not end as pg_dump ends a dump: it was cut short, or something else wrote it.",
            "Use another backup. -Force restores what is there, if that is all there is.", location);

    public static MoltException HasCommand(string location, string command)
        => new("DumpHasCommand", ErrorKind.InvalidData, $"{location} holds a command to psql ({command}), which pg_dump never writes into a dump of one database: psql would run programs, or go to another database, for whoever wrote it.",
            "Find out who made this file. A dump of pg_dumpall or pg_dump --create has to be made anew without that, or restored by hand.", location);

    public static MoltException OtherDatabase(string location, string statement)
        => new("DumpNamesDatabase", ErrorKind.NotSupported, $"{location} works on a database by its name ({statement}): it was made with --create, and would change that one and not the new one.",
            "Make the dump without --create, or restore it by hand with psql.", location);

    public static MoltException WholeServer(string location, string statement)
        => new("DumpChangesServer", ErrorKind.NotSupported, $"{location} holds a statement that works on the whole server ({statement} …), which pg_dump never writes into a dump of one database: it would stay even if the restore failed.",
            "Find out who made this file. Roles and tablespaces of a dump of pg_dumpall have to be made by hand, with psql.", location);

    public static MoltException NotSupported(string location, string why)
        => new("DumpNotSupported", ErrorKind.NotSupported, $"{location} cannot be read here: {why}.", "Restore it by hand with psql or pg_restore, into a new database.", location);

    public static MoltException NotADump(string location)
        => new("NotADump", ErrorKind.InvalidData, $"{location} is called like a dump, and is none: it begins neither as SQL of pg_dump nor as one of its archives.", "Look what it is, and move it elsewhere.", location);
}
