using System.Globalization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>What has to hold in what a plan says of recoveries: hooks, objectives, contacts.</summary>
internal static class PlanRecovery
{
    private const string Check = PlanCheckNames.Recovery;
    private const int MostMinutes = 60 * 24 * 30;

    public static IEnumerable<PlanProblem> Of(BackupPlan plan)
        => Hooks(plan.Hooks).Concat(Objectives(plan.Objectives)).Concat(plan.Contacts.Index().SelectMany(c => Contact(c.Item, At("$.contacts", c.Index), plan.Alerts)));

    private static IEnumerable<PlanProblem> Hooks(PlannedHooks hooks)
    {
        foreach (var (name, list) in new[] { ("stop", hooks.Stop), ("start", hooks.Start) })
        {
            foreach (var (index, hook) in list.Index())
            {
                var path = At("$.hooks." + name, index);
                var named = new[] { hook.Systemd, hook.Service, hook.Command.FirstOrDefault() }.OfType<string>().ToList();
                if (named.Count != 1)
                {
                    yield return new(Check, path, "it has to name exactly one thing", "Write systemd, service or command.");
                }
                else if (named[0].Length == 0 || named[0][0] == '-' || hook.Command.Prepend(named[0]).Any(c => c.Any(char.IsControl)) || (hook.Command.Count > 0 && !PlanRules.IsAbsolute(named[0])))
                {
                    yield return new(Check, path, hook.Command.Count > 0 ? "the program has no absolute path, or an argument cannot be one" : "this is no name of a unit or service", "Write the program's full path: a recovery may run in another folder, and with another PATH, than you do.");
                }

                if (hook.Folder is { } folder && (hook.Command.Count == 0 || !PlanRules.IsAbsolute(folder)))
                {
                    yield return new(Check, path + ".folder", "it is no absolute path, or there is no command", "Write the folder's full path.");
                }

                if (hook.TimeoutSeconds is < 1 or > 86400)
                {
                    yield return new(Check, path + ".timeoutSeconds", "this is no time", "Write a number of seconds from 1 to 86400.");
                }
            }
        }

        if (hooks.Health is { } health)
        {
            if (!Uri.TryCreate(health.Url, UriKind.Absolute, out var uri) || (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps))
            {
                yield return new(Check, "$.hooks.health.url", "it is no http:// or https:// address", "Write the address that tells whether the application works, such as http://localhost:8080/health.");
            }

            if (health.TimeoutSeconds is < 1 or > 86400)
            {
                yield return new(Check, "$.hooks.health.timeoutSeconds", "this is no time", "Write a number of seconds from 1 to 86400.");
            }
        }
    }

    private static IEnumerable<PlanProblem> Objectives(PlannedObjectives objectives)
    {
        foreach (var (index, priority) in objectives.Priorities.Index())
        {
            var path = At("$.objectives.priorities", index);
            if (!IsPriority(priority.Priority) || objectives.Priorities.Count(p => p.Priority == priority.Priority) > 1)
            {
                yield return new(Check, path + ".priority", "there is no such priority, or it is there twice", "Write P0, P1, P2 and P3 once each.");
            }

            if (!IsMinutes(priority.RtoMinutes) || (priority.RpoMinutes is { } rpo && !IsMinutes(rpo)))
            {
                yield return new(Check, path, "this is no number of minutes", "Write a number from 1 to 43200.");
            }
        }

        foreach (var (index, scenario) in objectives.Scenarios.Index())
        {
            var path = At("$.objectives.scenarios", index);
            if (!Enum.GetNames<RecoveryScenario>().Contains(scenario.Scenario) || objectives.Scenarios.Count(s => s.Scenario == scenario.Scenario) > 1)
            {
                yield return new(Check, path + ".scenario", "there is no such scenario, or it is there twice", $"Write one of: {string.Join(", ", Enum.GetNames<RecoveryScenario>())}.");
            }

            if (scenario.Priority is { } priority && !IsPriority(priority))
            {
                yield return new(Check, path + ".priority", "there is no such priority", "Write P0, P1, P2 or P3.");
            }

            if (scenario.RtoMinutes is { } rto && !IsMinutes(rto))
            {
                yield return new(Check, path + ".rtoMinutes", "this is no number of minutes", "Write a number from 1 to 43200.");
            }
        }
    }

    private static IEnumerable<PlanProblem> Contact(PlannedContact contact, string path, PlannedAlerts alerts)
    {
        if (new[] { contact.Role, contact.Name ?? "-", contact.Reach ?? "-" }.Any(t => string.IsNullOrWhiteSpace(t) || t.Length > 200 || t.Any(char.IsControl)))
        {
            yield return new(Check, path, "its role, name or reach is empty, or too long", "Write short texts of one line.");
        }

        if (contact.AfterMinutes is < 0 or > MostMinutes)
        {
            yield return new(Check, path + ".afterMinutes", "this is no number of minutes", "Write 0 for at once, or leave it out for never.");
        }

        if (contact.Routes?.FirstOrDefault(n => !alerts.Routes.Any(r => r.Name.Equals(n, StringComparison.OrdinalIgnoreCase))) is not null)
        {
            yield return new(Check, path + ".routes", "there is no route of this name under alerts", "Write the names of routes of this plan.");
        }
    }

    private static bool IsPriority(string text) => Enum.GetNames<Priority>().Contains(text);

    private static bool IsMinutes(int minutes) => minutes is >= 1 and <= MostMinutes;

    private static string At(string list, int index) => list + "[" + index.ToString(CultureInfo.InvariantCulture) + "]";
}
