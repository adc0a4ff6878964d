using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>
/// Holds a plan's JSON against the records that it is to become, and finds all that does not fit, not only the first:
/// unknown, double and missing names, values of another kind, secrets.
/// </summary>
internal sealed class PlanShape
{
    private readonly List<PlanProblem> problems = [];

    private PlanShape()
    {
    }

    /// <param name="root">A JSON text's root.</param>
    public static IReadOnlyList<PlanProblem> Check(JsonElement root)
    {
        var shape = new PlanShape();
        shape.LookForSecretsAndDoubles("", root, "$");
        shape.CheckValue(root, typeof(BackupPlan), "$");
        return shape.problems;
    }

    /// <summary>The properties that a plan may have there; those that the records only show to programs are not among them.</summary>
    public static IEnumerable<JsonPropertyInfo> Known(JsonTypeInfo type) => type.Properties.Where(p => p.Get is not null);

    /// <summary>Whether a plan must have it: those parameters of a record's constructor that have no default.</summary>
    public static bool IsRequired(JsonPropertyInfo property) => property.AssociatedParameter is { HasDefaultValue: false, IsMemberInitializer: false };

    private void CheckObject(JsonElement value, JsonTypeInfo type, string path)
    {
        foreach (var given in value.EnumerateObject())
        {
            var inner = Child(path, given.Name);
            if (Known(type).FirstOrDefault(p => p.Name == given.Name) is { } known)
            {
                CheckValue(given.Value, known.PropertyType, inner);
            }
            else
            {
                var near = Known(type).Select(p => p.Name).FirstOrDefault(n => n.Equals(given.Name, StringComparison.OrdinalIgnoreCase));
                Add(PlanCheckNames.Names, inner, "there is no such property here",
                    near is not null ? $"Write {near}." : $"Here may stand: {string.Join(", ", Known(type).Select(p => p.Name))}.");
            }
        }

        foreach (var missing in Known(type).Where(p => IsRequired(p) && !value.TryGetProperty(p.Name, out _)))
        {
            Add(PlanCheckNames.Names, Child(path, missing.Name), "it is missing", $"Add \"{missing.Name}\". docs/plan.md tells what it means.");
        }
    }

    private void CheckValue(JsonElement value, Type type, string path)
    {
        var bare = Nullable.GetUnderlyingType(type) ?? type;
        if (bare == typeof(JsonElement))
        {
            return;
        }

        if (bare == typeof(TimeSpan))
        {
            if (value.ValueKind != JsonValueKind.String || !KeepTime.TryParse(value.GetString()!, out _))
            {
                Add(PlanCheckNames.Retention, path, "this is no time", $"Write {KeepTime.Forms}; a hundred years at most.");
            }

            return;
        }

        if (bare == typeof(PlannedFile) && value.ValueKind == JsonValueKind.String)
        {
            return;
        }

        var info = PlanJson.Default.GetTypeInfo(bare)!;
        var (fits, wanted) = info.Kind switch
        {
            JsonTypeInfoKind.Object => (value.ValueKind == JsonValueKind.Object, "an object: { … }"),
            JsonTypeInfoKind.Enumerable => (value.ValueKind == JsonValueKind.Array, "a list: [ … ]"),
            _ when bare == typeof(string) => (value.ValueKind == JsonValueKind.String, "a text in quotes"),
            _ when bare == typeof(bool) => (value.ValueKind is JsonValueKind.True or JsonValueKind.False, "true or false"),
            _ when bare == typeof(long) => (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _), "a whole number"),
            _ => (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out _), "a whole number"),
        };
        if (!fits)
        {
            Add(PlanCheckNames.Names, path, $"this has to be {wanted}", value.ValueKind == JsonValueKind.Null ? "Leave the property out if there is nothing to say." : "Correct the value.");
        }
        else if (info.Kind == JsonTypeInfoKind.Object)
        {
            CheckObject(value, info, path);
        }
        else if (info.Kind == JsonTypeInfoKind.Enumerable)
        {
            var index = 0;
            foreach (var item in value.EnumerateArray())
            {
                CheckValue(item, info.ElementType!, Child(path, index++));
            }
        }
    }

    private void LookForSecretsAndDoubles(string name, JsonElement value, string path)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String when PlanText.SecretIn(name, value.GetString()!) is { } kind:
                Add(PlanCheckNames.Secrets, path, $"{kind} stands in the plan",
                    "Take it out, and consider it known to all who could read the file. Write a reference in its place: env:NAME, file:/absolute/path or secret:NAME; PostgreSQL's passwords may also stay in ~/.pgpass.");
                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in value.EnumerateArray())
                {
                    LookForSecretsAndDoubles(name, item, Child(path, index++));
                }

                break;
            case JsonValueKind.Object:
                var seen = new HashSet<string>(StringComparer.Ordinal);
                foreach (var property in value.EnumerateObject())
                {
                    var inner = Child(path, property.Name);
                    if (!seen.Add(property.Name))
                    {
                        Add(PlanCheckNames.Names, inner, "it is there twice", "Remove one of them.");
                    }

                    LookForSecretsAndDoubles(property.Name, property.Value, inner);
                }

                break;
        }
    }

    private void Add(string check, string path, string message, string remedy) => problems.Add(new PlanProblem(check, path, message, remedy));

    private static string Child(string path, int index) => path + "[" + index.ToString(CultureInfo.InvariantCulture) + "]";

    private static string Child(string path, string name)
        => name.Length is > 0 and <= 60 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '$')
            ? path + "." + name
            : path + "['" + new string([.. name.Take(60).Select(c => char.IsControl(c) || char.IsSurrogate(c) || c == '\'' ? '?' : c)]) + "']";
}
