using System.Globalization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>How keys are named in a plan.</summary>
public static class PlanKeys
{
    /// <summary>Whether the text names a file; otherwise it is for gpg to find: a fingerprint, a key id or an e-mail address.</summary>
    public static bool IsFile(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.AsSpan().IndexOfAny('/', '\\') >= 0;
    }

    internal static IEnumerable<PlanProblem> Check(BackupPlan plan)
    {
        var named = plan.Recipients.Index().Select(k => (Path: At("$.recipients", k.Index), Key: k.Item))
            .Concat(plan.TrustedSigners.Index().Select(k => (Path: At("$.trustedSigners", k.Index), Key: k.Item)));
        if (plan.Signing is { } signing)
        {
            named = named.Append(("$.signing.key", signing.Key));
            if (signing.Passphrase is { } passphrase && SecretReference.From(passphrase)?.Flaw is { } flaw)
            {
                yield return new(PlanCheckNames.References, "$.signing.passphrase", $"the reference {flaw}", "Write env:NAME, file:/absolute/path or secret:NAME.");
            }
        }

        foreach (var (path, key) in named)
        {
            if (string.IsNullOrWhiteSpace(key) || key[0] == '-' || key.Any(char.IsControl))
            {
                yield return new(PlanCheckNames.Keys, path, "this names no key", "Write the absolute path of a key file, a fingerprint, or an e-mail address that gpg knows.");
            }
            else if (IsFile(key) && !Path.IsPathFullyQualified(key))
            {
                yield return new(PlanCheckNames.Keys, path, "the key file has no absolute path", "Write the file's full path: a job runs in another folder than you do.");
            }
        }
    }

    private static string At(string list, int index) => list + "[" + index.ToString(CultureInfo.InvariantCulture) + "]";
}
