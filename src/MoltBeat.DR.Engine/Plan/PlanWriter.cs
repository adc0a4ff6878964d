using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>Writes a first plan, with comments for the one who goes on writing it.</summary>
public static class PlanWriter
{
    private static readonly JavaScriptEncoder s_encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>The text of a plan.</summary>
    /// <param name="plan">Its databases, stores, copies, retention and routes for alerts; sections that have no effect yet are left to comments.</param>
    /// <exception cref="MoltException"><c>PlanInvalid</c>, <c>SecretInPlan</c>: it could not be read again.</exception>
    public static string Text(BackupPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var text = string.Create(CultureInfo.InvariantCulture, $$"""
            // What MoltBeat.DR protects, where to, and for how long. docs/plan.md tells what may stand here; Test-MoltPlan checks it.
            // No passwords here, only references: env:NAME, file:/absolute/path or secret:NAME (SecretManagement).
            {
              "version": {{plan.Version}},

              // A URL without its password (that stays in ~/.pgpass), or a reference to a whole one.
              "databases": [{{List(plan.Databases.Select(Database))}}],

              // Nearest first. A folder, or s3://bucket/prefix with its settings: "region", "storageClass": "STANDARD_IA", …
              "stores": [{{List(plan.Stores.Select(Store))}}],

              // In how many stores a backup must be whole to count as made.
              "minimumCopies": {{plan.MinimumCopies}},

              // For how long, by kind; the newest "atLeast" stay in any case. "30d", ISO 8601 as "P1Y", or "forever".
              "retention": {{{List(plan.Retention.Rules.Select(r => $"{Json(r.Kind)}: {{ \"keep\": {Json(KeepTime.Format(r.Rule.Keep))}, \"atLeast\": {r.Rule.AtLeast.ToString(CultureInfo.InvariantCulture)} }}"))}}},

              // Who is told when something is wrong: PagerDuty, Slack, webhooks, e-mail. docs/alerts.md tells how.
              "alerts": { "routes": [{{List(plan.Alerts.Routes.Select(Route))}}] }
            }

            """).ReplaceLineEndings("\n");
        _ = PlanReader.Read(Encoding.UTF8.GetBytes(text), "The new plan");
        return text;
    }

    /// <summary>Writes a plan's text: 0600, whole or not at all. A folder that is missing is made, 0700.</summary>
    /// <param name="path">Absolute.</param>
    /// <param name="text">See <see cref="Text"/>.</param>
    /// <param name="overwrite">Whether a file that is there may be replaced.</param>
    /// <exception cref="MoltException"><c>PlanExists</c>, <c>PlanNotWritable</c>.</exception>
    public static void Write(string path, string text, bool overwrite)
    {
        var partial = path + "." + Guid.NewGuid().ToString("N") + ".partial";
        try
        {
            if (!overwrite && Path.Exists(path))
            {
                throw Exists(path);
            }

            MakeFolder(Path.GetDirectoryName(path)!);
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using (var file = new FileStream(partial, options))
            {
                file.Write(Encoding.UTF8.GetBytes(text));
                file.Flush(flushToDisk: true);
            }

            File.Move(partial, path, overwrite);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Remove(partial);
            throw !overwrite && File.Exists(path)
                ? Exists(path)
                : new MoltException("PlanNotWritable", ErrorKind.PermissionDenied, $"The plan {path} cannot be written: {e.Message}", "Name a place that this user may write to with -Path.", path, e);
        }
    }

    private static MoltException Exists(string path)
        => new("PlanExists", ErrorKind.AlreadyExists, $"{path} is there already.", "Name another with -Path, or pass -Force to replace it.", path);

    private static void MakeFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else if (!Directory.Exists(folder))
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What made us give up is the error to tell.
        }
    }

    private static string Database(PlannedDatabase database) => $"{{ \"name\": {Json(database.Name)}, \"url\": {Json(database.Url)} }}";

    private static string Store(PlannedStore store)
    {
        var settings = store.Options.Select(o => $", {Json(o.Key)}: {(o.Key is "pathStyle" or "objectLockDays" or "timeoutSeconds" ? o.Value : Json(o.Value))}");
        return $"{{ \"name\": {Json(store.Name)}, \"location\": {Json(store.Location)}{string.Concat(settings)} }}";
    }

    private static string Route(PlannedRoute route)
    {
        var options = route.Options.Select(o => $", {Json(o.Name)}: {(o.Name == "to" ? $"[{string.Join(", ", route.To.Select(Json))}]" : Json(o.Value))}");
        var most = route.MostPerHour is { } number ? string.Create(CultureInfo.InvariantCulture, $", \"mostPerHour\": {number}") : "";
        return $"{{ \"name\": {Json(route.Name)}, \"kind\": {Json(route.Kind)}{string.Concat(options)}{most} }}";
    }

    private static string List(IEnumerable<string> items) => items.ToList() is { Count: > 0 } all ? "\n    " + string.Join(",\n    ", all) + "\n  " : "";

    private static string Json(string text) => "\"" + JsonEncodedText.Encode(text, s_encoder) + "\"";
}
