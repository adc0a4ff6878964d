namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// The built-in types whose binary COPY form is the same in every supported version, by oid (fixed for ever in
/// src/include/catalog/pg_type.dat). A table with a column of any other type, enums apart, is copied as text: arrays of
/// user types and composites carry oids that mean nothing in another database.
/// </summary>
public static class BinarySafeTypes
{
    private static readonly HashSet<uint> Oids =
    [
        16, 17, 18, 19, 20, 21, 23, 25, 114, 700, 701, 1042, 1043, // bool bytea "char" name int8 int2 int4 text json float4 float8 bpchar varchar
        1082, 1083, 1114, 1184, 1186, 1266, // date time timestamp timestamptz interval timetz
        1560, 1562, 1700, 2950, 3802, 869, 650, 829, 774, // bit varbit numeric uuid jsonb inet cidr macaddr macaddr8
        1000, 1001, 1002, 1003, 1016, 1005, 1007, 1009, 199, 1021, 1022, 1014, 1015, // arrays of the same
        1182, 1183, 1115, 1185, 1187, 1270,
        1561, 1563, 1231, 2951, 3807, 1041, 651, 1040, 775,
    ];

    /// <param name="type">The column's type oid.</param>
    /// <param name="kind"><c>pg_type.typtype</c>; <c>e</c> is an enum, which travels as its label.</param>
    public static bool Allows(uint type, char kind) => kind == 'e' || Oids.Contains(type);
}
