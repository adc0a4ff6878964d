using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Application.Redis;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>The Redis servers that a cmdlet's parameters or the plan name; on the pipeline thread only, as vaults are asked.</summary>
internal static class RedisServers
{
    /// <summary>What the first server is called that is named by its URL alone.</summary>
    private const string DefaultName = "redis";

    /// <summary>Captures for the servers that are given, else for those of the plan.</summary>
    /// <exception cref="MoltException"><c>RedisUrlInvalid</c>, <c>SecretUnavailable</c>.</exception>
    public static IEnumerable<ICapture> Captures(PSCmdlet cmdlet, IReadOnlyList<string>? given, IReadOnlyList<PlannedRedis> planned)
        => given is null
            ? planned.Select(r => new RedisCapture(Target(cmdlet, r)))
            : given.Select((url, i) => new RedisCapture(new RedisTarget(i == 0 ? DefaultName : string.Create(CultureInfo.InvariantCulture, $"{DefaultName}{i + 1}"), Parse(cmdlet, url))));

    /// <summary>Where what a backup calls by a name goes back to.</summary>
    /// <exception cref="MoltException"><c>RedisUrlInvalid</c>, <c>SecretUnavailable</c>; the function throws <c>RedisNotPlanned</c>.</exception>
    public static Func<string, RedisTarget> Targets(PSCmdlet cmdlet, string? given, IReadOnlyList<PlannedRedis> planned)
    {
        if (given is not null)
        {
            // One server for one capture: two into the same would mix their keys.
            var url = Parse(cmdlet, given);
            string? taken = null;
            return name => (taken ??= name) == name
                ? new RedisTarget(name, url)
                : throw new MoltException("RedisNotPlanned", ErrorKind.InvalidArgument, $"The backup has keys of {taken} and of {name}, and -RedisUrl names one server.", "Plan both under their names, and leave -RedisUrl out.", name);
        }

        // Now, as the function is called on other threads.
        var targets = planned.Select(r => Target(cmdlet, r)).ToDictionary(t => t.Name, StringComparer.OrdinalIgnoreCase);
        return name => targets.TryGetValue(name, out var target)
            ? target
            : throw new MoltException("RedisNotPlanned", ErrorKind.InvalidArgument, $"Nothing says where the keys of {name} go: the plan has no Redis server of that name, and -RedisUrl is not given.", "Give -RedisUrl.", name);
    }

    private static RedisTarget Target(PSCmdlet cmdlet, PlannedRedis server) => new(server.Name, Parse(cmdlet, server.Url), server.Numbers(), server.Required);

    private static RedisUrl Parse(PSCmdlet cmdlet, string url) => RedisUrl.Parse(SessionPlan.Secrets(cmdlet).Resolve(url));
}
