using System.Text;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>A whole run with secrets that stand nowhere else, and a search for them in all that it wrote.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class SecretsTests(ServerFixture fixture)
{
    private const string InUri = "uri/Secret+one%é";
    private const string InVariable = "variable Secret:two";
    private const string InCredential = "credential'Secret=three";
    private const string Wrong = "wrong&Secret;four";
    private const string S3Key = "S3SECRETKEYfive/+x";
    private const string InFile = "plan file Secret six";

    private static readonly string[] s_secrets = [InUri, InVariable, InCredential, Wrong, S3Key, InFile];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_secret_stands_in_anything_that_a_full_run_writes()
    {
        var server = await fixture.ServerAsync();
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("secretive"));
        var roles = new List<string>();
        async Task<string> RoleAsync(string password)
        {
            var role = fixture.Unique("secretive_role");
            await server.ExecuteAsync($"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD {Sql.Literal(password)}", cancel: Cancel);
            roles.Add(role);
            return role;
        }

        var (byUri, byVariable, byCredential, byFile) = (await RoleAsync(InUri), await RoleAsync(InVariable), await RoleAsync(InCredential), await RoleAsync(InFile));
        var work = fixture.NewPath("secretive");
        Directory.CreateDirectory(work);
        string In(string name) => Path.Combine(work, name);
        string Bare(string role) => $"postgresql://{role}@127.0.0.1:{server.Port}/{database.Name}";
        var url = server.Uri(database.Name, byUri, InUri);
        var secretFile = fixture.NewPath("secret");
        await File.WriteAllTextAsync(secretFile, server.Uri(database.Name, byFile, InFile), Cancel);
        await File.WriteAllTextAsync(In("plan.json"), $$"""{ "version": 1, "databases": [{ "name": "d", "url": "file:{{secretFile}}" }], "stores": [{ "name": "s", "location": "{{In("planned")}}" }], "audit": { "store": "s" } }""", Cancel);
        foreach (var file in new[] { secretFile, In("plan.json") })
        {
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        var script = $$"""
            $ErrorActionPreference = 'Continue'
            $ConfirmPreference = 'None'
            $VerbosePreference = 'Continue'
            $c = [pscredential]::new('{{byCredential}}', (& { $s = [securestring]::new(); foreach ($x in $env:MOLT_TEST_CREDENTIAL.ToCharArray()) { $s.AppendChar($x) }; $s }))
            $w = [pscredential]::new('{{byUri}}', (& { $s = [securestring]::new(); foreach ($x in $env:MOLT_TEST_WRONG.ToCharArray()) { $s.AppendChar($x) }; $s }))
            $b = New-MoltBackup $env:MOLT_TEST_URL -Path '{{In("one")}}'; $b
            New-MoltBackup '{{Bare(byVariable)}}' -Path '{{In("two")}}'
            New-MoltBackup '{{Bare(byUri)}}' -Credential $c -Path '{{In("three")}}'
            New-MoltBackup -PlanPath '{{In("plan.json")}}'
            New-MoltBackup '{{Bare(byUri)}}' -Credential $w -Path '{{In("four")}}'
            New-MoltBackup ($env:MOLT_TEST_URL -replace '@127', 'broken@127') -Path '{{In("four")}}'
            try { New-MoltBackup ($env:MOLT_TEST_URL + '?nonsense=1') -Path '{{In("four")}}' } catch { $_ }
            New-MoltBackup $env:MOLT_TEST_URL -Path 's3://bucket/prefix?endpoint=http://127.0.0.1:1'
            $b | Test-MoltBackup -Level Full
            $b | Copy-MoltBackup -Destination '{{In("copy")}}'
            $b | Copy-MoltBackup -Destination 's3://bucket/prefix?endpoint=http://127.0.0.1:1'
            $b | Restore-MoltBackup -DatabaseUrl $env:MOLT_TEST_URL -TargetDatabase {{database.Name}}_copy
            $b | Restore-MoltBackup -DatabaseUrl $env:MOLT_TEST_URL -TargetDatabase {{database.Name}}
            $b | Restore-MoltBackup -DatabaseUrl '{{Bare(byUri)}}' -Credential $w -TargetDatabase x
            $b | Set-MoltBackup -Pin -Reason 'keep'
            Remove-MoltBackup $b.Path -Force -Confirm:$false
            $b | Set-MoltBackup -Unpin -Reason 'no more'
            Get-MoltBackup '{{In("one")}}' | Remove-MoltBackup -Force -Confirm:$false
            Test-MoltPlan '{{In("plan.json")}}'
            Get-MoltPlan '{{In("plan.json")}}'
            try { New-MoltPlan '{{In("other.json")}}' -DatabaseUrl $env:MOLT_TEST_URL } catch { $_ }
            Test-MoltStore '{{In("two")}}'
            Get-MoltAudit | ForEach-Object { $_.ToString() }
            foreach ($e in $Error) { $e.ToString(); $e.Exception.ToString(); $e.ErrorDetails.RecommendedAction; "$($e.TargetObject)" }
            """;
        var variables = new Dictionary<string, string?>
        {
            ["MOLTBEAT_AUDIT"] = In("audit"),
            ["XDG_CACHE_HOME"] = In("cache"),
            ["TMPDIR"] = In("tmp"),
            ["MOLT_TEST_URL"] = url,
            ["MOLT_TEST_CREDENTIAL"] = InCredential,
            ["MOLT_TEST_WRONG"] = Wrong,
            ["PGPASSWORD"] = InVariable,
            ["AWS_ACCESS_KEY_ID"] = "AKIDEXAMPLE",
            ["AWS_SECRET_ACCESS_KEY"] = S3Key,
            ["AWS_MAX_ATTEMPTS"] = "1",
        };
        Directory.CreateDirectory(In("tmp"));
        var result = await MoltProcess.RunWithAsync(variables, TimeSpan.FromMinutes(4), "-NonInteractive", "-Command", script);
        try
        {
            // It did what it was to do: otherwise there would be nothing to search.
            var audit = await File.ReadAllTextAsync(In("audit/audit.jsonl"), Cancel);
            foreach (var (action, outcome, count) in new[] { ("Backup", "Succeeded", 4), ("Restore", "Succeeded", 1), ("Copy", "Succeeded", 1), ("Remove", "Succeeded", 1), ("Verify", "Succeeded", 1) })
            {
                Assert.True(audit.Split('\n').Count(l => l.Contains($"\"action\":\"{action}\",\"result\":\"{outcome}\"", StringComparison.Ordinal)) == count, $"{action} {outcome} {result.Error}\n{audit}");
            }

            Assert.Contains("AuthenticationFailed", audit, StringComparison.Ordinal);
            Assert.Contains("VERBOSE: ", result.Error, StringComparison.Ordinal);
            await File.WriteAllTextAsync(In("output"), result.Output, Cancel);
            await File.WriteAllTextAsync(In("error"), result.Error, Cancel);
            foreach (var archive in Directory.GetFiles(work, "*.tar", SearchOption.AllDirectories))
            {
                await UnpackAsync(archive, archive + ".unpacked");
            }

            var files = Directory.GetFiles(work, "*", SearchOption.AllDirectories);
            Assert.Contains(files, f => f.EndsWith("restore.sh", StringComparison.Ordinal));
            Assert.Contains(files, f => f.EndsWith("globals.sql", StringComparison.Ordinal));
            Assert.Contains(files, f => f.Contains(".records/", StringComparison.Ordinal));
            var needles = s_secrets.SelectMany(s => Forms(s).Select(f => (Secret: s, Form: f))).ToList();
            Assert.Empty(
                from file in files
                let bytes = File.ReadAllBytes(file)
                from needle in needles
                where bytes.AsSpan().IndexOf(needle.Form) >= 0
                select $"{needle.Secret} in {Path.GetRelativePath(work, file)}");
        }
        finally
        {
            await server.ExecuteAsync($"DROP DATABASE IF EXISTS {database.Name}_copy", cancel: Cancel);
            foreach (var role in roles)
            {
                await server.ExecuteAsync($"DROP ROLE {role}", cancel: Cancel);
            }
        }
    }

    [Fact]
    public void The_search_finds_a_secret_in_each_form()
    {
        foreach (var text in new[] { "a " + InUri, "postgresql://u:" + Uri.EscapeDataString(InUri) + "@h", "key " + Convert.ToBase64String(Encoding.UTF8.GetBytes("x" + InUri + "yz")), "\\u0026 " + Encoding.UTF8.GetString(System.Text.Json.JsonEncodedText.Encode(InUri).EncodedUtf8Bytes) })
        {
            Assert.Contains(Forms(InUri), f => Encoding.UTF8.GetBytes(text).AsSpan().IndexOf(f) >= 0);
        }
    }

    /// <summary>Plain, percent-encoded (both ways of writing hex), as JSON writes it, and base64 at each of its three offsets.</summary>
    private static IEnumerable<byte[]> Forms(string secret)
    {
        var plain = Encoding.UTF8.GetBytes(secret);
        yield return plain;
        yield return Encoding.ASCII.GetBytes(Uri.EscapeDataString(secret));
        yield return Encoding.ASCII.GetBytes(System.Text.RegularExpressions.Regex.Replace(Uri.EscapeDataString(secret), "%..", m => m.Value.ToLowerInvariant()));
        yield return System.Text.Json.JsonEncodedText.Encode(secret).EncodedUtf8Bytes.ToArray();
        for (var offset = 0; offset < 3; offset++)
        {
            // Only what the secret alone decides: the letters at both ends hold bits of its neighbours.
            var text = Convert.ToBase64String([.. new byte[offset], .. plain]).TrimEnd('=');
            var from = offset == 0 ? 0 : offset + 1;
            yield return Encoding.ASCII.GetBytes(text[from..^1]);
        }
    }

    private static async Task UnpackAsync(string archive, string folder)
    {
        Directory.CreateDirectory(folder);
        await System.Formats.Tar.TarFile.ExtractToDirectoryAsync(archive, folder, overwriteFiles: false, Cancel);
        foreach (var file in Directory.GetFiles(folder, "*.zst", SearchOption.AllDirectories))
        {
            await Tool.RunAsync("zstd", ["--decompress", "--quiet", file], cancel: Cancel);
        }
    }
}
