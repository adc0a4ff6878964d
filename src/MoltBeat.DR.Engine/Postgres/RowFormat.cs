using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>The form in which COPY gives and takes a table's rows.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RowFormat>))]
public enum RowFormat
{
    /// <summary>COPY's text format: one line a row, works between any two servers.</summary>
    Text,

    /// <summary>COPY's binary format: about twice as fast to load; only for types whose binary form never changes.</summary>
    Binary,
}
