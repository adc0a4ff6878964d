using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>What kind of file a backup is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BackupFormat>))]
public enum BackupFormat
{
    /// <summary>This module's own archive: the only one with digests to hold a restore against.</summary>
    Molt,

    /// <summary>Plain SQL of pg_dump, compressed and encrypted or not.</summary>
    Sql,

    /// <summary>A file of <c>pg_dump -Fc</c>.</summary>
    Custom,

    /// <summary>A folder of <c>pg_dump -Fd</c>.</summary>
    Directory,
}
