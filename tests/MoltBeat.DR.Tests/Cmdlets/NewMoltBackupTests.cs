using System.Diagnostics;
using System.Management.Automation;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

public sealed class NewMoltBackupTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task A_backup_is_one_private_file_in_a_private_folder()
    {
        var folder = fixture.NewPath();
        var backup = Assert.Single(New((await fixture.BackupsAsync()).Url, folder).ThrowIfFailed().Output);
        Assert.Equal("MoltBeat.DR.Engine.Catalog.BackupInfo", backup.TypeNames[0]);
        Assert.Equal(backup.Value<string>("Path"), Assert.Single(Directory.GetFileSystemEntries(folder)));
        Assert.Matches(@"^moltbeat_backup_\d{8}_\d{6}\.tar$", backup.Value<string>("Name"));
        Assert.Equal("Manual", backup.Text("Kind"));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(backup.Value<string>("Path")));
        }
    }

    [Fact]
    public async Task WhatIf_makes_nothing_and_names_no_password()
    {
        var folder = fixture.NewPath();
        var backups = await fixture.BackupsAsync();
        using var module = new HostedModule(500);
        var said = module.Show("param($Url, $Path) New-MoltBackup $Url -Path $Path -WhatIf", ("Url", backups.Url), ("Path", folder));
        Assert.StartsWith("What if: ", said, StringComparison.Ordinal);
        Assert.Contains("3 tables of ", said, StringComparison.Ordinal);
        Assert.Contains(folder, said, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public async Task Confirm_false_is_enough_when_nobody_is_there_and_a_question_is_an_error()
    {
        var (url, folder) = ((await fixture.BackupsAsync()).Url, fixture.NewPath());
        Assert.Equal("CannotAsk,MoltBeat.DR.NewMoltBackupCommand", New(url, folder, "-Confirm").Error.FullyQualifiedErrorId);
        Assert.False(Directory.Exists(folder));
        Assert.Single(New(url, folder, "-Confirm:$false").ThrowIfFailed().Output);
    }

    [Theory]
    [InlineData("$Url | New-MoltBackup -Path $Path")]
    [InlineData("[pscustomobject]@{ DatabaseUrl = $Url; Path = $Path; Kind = 'Weekly' } | New-MoltBackup")]
    [InlineData("[pscustomobject]@{ ConnectionString = $Url; Path = $Path } | New-MoltBackup -Kind Weekly")]
    public async Task Parameters_bind_by_value_and_by_property_name(string script)
    {
        var folder = fixture.NewPath();
        var result = _module.Run("param($Url, $Path) " + script, ("Url", (await fixture.BackupsAsync()).Url), ("Path", folder)).ThrowIfFailed();
        Assert.Equal(script.Contains("Weekly", StringComparison.Ordinal) ? "Weekly" : "Manual", Assert.Single(result.Output).Text("Kind"));
    }

    [Fact]
    public async Task A_database_that_fails_does_not_keep_the_next_from_being_backed_up()
    {
        var backups = await fixture.BackupsAsync();
        var server = await fixture.ServerAsync();
        const string Script = "param($Bad, $Good, $Path) $Bad, $Good | New-MoltBackup -Path $Path";
        (string, object?)[] values = [("Bad", server.Uri("nowhere")), ("Good", backups.Url), ("Path", fixture.NewPath())];
        var result = _module.Run(Script, values);
        Assert.Null(result.Terminating);
        Assert.Equal("moltbeat", Assert.Single(result.Output).Value<string>("Database"));
        Assert.Equal("DatabaseNotFound,MoltBeat.DR.NewMoltBackupCommand", result.Error.FullyQualifiedErrorId);
        var stopped = _module.Run(Script + " -ErrorAction Stop", values);
        Assert.NotNull(stopped.Terminating);
        Assert.Empty(stopped.Output);
    }

    [Theory]
    [InlineData("unreachable", "ServerUnreachable", ErrorCategory.ConnectionError)]
    [InlineData("password", "AuthenticationFailed", ErrorCategory.AuthenticationError)]
    [InlineData("database", "DatabaseNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("tls", "TlsRefused", ErrorCategory.ConnectionError)]
    [InlineData("tools", "ClientToolsMissing", ErrorCategory.NotInstalled)]
    [InlineData("folder", "StoreNotWritable", ErrorCategory.PermissionDenied)]
    [InlineData("string", "ConnectionStringInvalid", ErrorCategory.InvalidArgument)]
    [InlineData("table", "TableNotFound", ErrorCategory.ObjectNotFound)]
    public async Task A_failure_has_its_id_its_category_and_a_way_on_and_leaves_no_file(string what, string id, ErrorCategory category)
    {
        var server = await fixture.ServerAsync();
        _ = await fixture.BackupsAsync();
        var (url, folder, more) = (server.Uri("moltbeat"), fixture.NewPath(), "");
        switch (what)
        {
            case "unreachable":
                url = $"postgresql://someone:s3cret@127.0.0.1:{UnusedPort()}/moltbeat";
                break;
            case "password":
                url = server.Uri("moltbeat", password: "s3cret but wrong");
                break;
            case "database":
                url = server.Uri("nowhere");
                break;
            case "tls":
                url = server.Uri("moltbeat", parameters: "sslmode=require");
                break;
            case "tools":
                more = "-ClientToolPath /proc";
                break;
            case "folder":
                var file = fixture.NewPath("file");
                await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
                folder = Path.Combine(file, "below");
                break;
            case "string":
                url = "postgresql://host:port:s3cret/";
                break;
            case "table":
                more = "-ExcludeTable nobody";
                break;
        }

        foreach (var way in new[] { "-WhatIf", "" })
        {
            var result = New(url, folder, $"{more} {way}");
            Assert.Empty(result.Output);
            Assert.Equal(id + ",MoltBeat.DR.NewMoltBackupCommand", result.Error.FullyQualifiedErrorId);
            Assert.Equal(category, result.Error.CategoryInfo.Category);
            Assert.NotNull(result.Error.TargetObject);
            Assert.NotEmpty(result.Error.ErrorDetails.RecommendedAction);
            Assert.DoesNotContain("s3cret", result.Error.Exception.ToString(), StringComparison.Ordinal);
            Assert.False(Directory.Exists(folder));
        }
    }

    [Fact]
    public async Task A_credential_goes_over_the_connection_strings_role()
    {
        var server = await fixture.ServerAsync();
        _ = await fixture.BackupsAsync();
        var result = _module.Run(
            """
            param($Url, $Path, $Password)
            $secret = [securestring]::new()
            $Password.ToCharArray().ForEach{ $secret.AppendChar($_) }
            New-MoltBackup $Url -Path $Path -Credential ([pscredential]::new('postgres', $secret))
            """,
            ("Url", server.Uri("moltbeat", user: "nobody", password: "")), ("Path", fixture.NewPath()), ("Password", PostgresServer.Password));
        Assert.Single(result.ThrowIfFailed().Output);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("'1'")]
    [InlineData("1.0")]
    [InlineData("'00:00:01'")]
    [InlineData("([timespan]::FromSeconds(1))")]
    public async Task The_lock_timeout_is_in_seconds(string value)
    {
        var folder = fixture.NewPath();
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("locked"));
        await using var other = await database.OpenAsync(TestContext.Current.CancellationToken);
        await using var held = await other.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await using var command = new Npgsql.NpgsqlCommand("LOCK TABLE users IN ACCESS EXCLUSIVE MODE", other, held);
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        var clock = Stopwatch.StartNew();
        var error = New(database.Uri, folder, "-LockTimeout " + value).Error;
        Assert.Equal("LockTimeout,MoltBeat.DR.NewMoltBackupCommand", error.FullyQualifiedErrorId);
        Assert.Equal(ErrorCategory.OperationTimeout, error.CategoryInfo.Category);
        Assert.InRange(clock.Elapsed, TimeSpan.FromSeconds(0.9), TimeSpan.FromSeconds(30));
        Assert.False(Directory.Exists(folder));
    }

    [Theory]
    [InlineData("-LockTimeout ten")]
    [InlineData("-LockTimeout -1")]
    [InlineData("-Jobs 0")]
    [InlineData("-CompressionLevel 20")]
    [InlineData("-Kind Hourly")]
    public void What_makes_no_sense_is_refused_before_anything_is_done(string parameter)
    {
        var folder = fixture.NewPath();
        var result = New("postgresql://127.0.0.1:1/x", folder, parameter);
        Assert.Equal(ErrorCategory.InvalidData, result.Error.CategoryInfo.Category == ErrorCategory.InvalidArgument ? ErrorCategory.InvalidData : result.Error.CategoryInfo.Category);
        Assert.False(Directory.Exists(folder));
    }

    [Theory]
    [InlineData("New-MoltBackup -DatabaseUrl $env:NOT_SET_AT_ALL -Path $Path")]
    [InlineData("New-MoltBackup '' -Path $Path")]
    [InlineData("Restore-MoltBackup x.tar -DatabaseUrl $env:NOT_SET_AT_ALL -WhatIf")]
    public void A_connection_string_that_turns_out_empty_does_not_mean_whatever_server_there_is(string script)
    {
        var folder = fixture.NewPath();
        var result = _module.Run("param($Path) " + script, ("Path", folder));
        Assert.StartsWith("ParameterArgumentValidationError,", result.Error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public async Task Tables_and_their_rows_can_be_left_out()
    {
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("parts"));
        var backup = New(database.Uri, fixture.NewPath(), "-ExcludeTable Odd* -ExcludeTableData public.users, noth?ng").ThrowIfFailed().Output.Single();
        Assert.Equal(0, backup.Value<long>("Rows"));
    }

    [Fact]
    public async Task Verbose_says_what_goes_where_without_the_password()
    {
        var backups = await fixture.BackupsAsync();
        var folder = fixture.NewPath();
        var result = New(backups.Url, folder, "-Verbose").ThrowIfFailed();
        Assert.Contains(result.Verbose, v => v.Contains(folder, StringComparison.Ordinal) && v.Contains("/moltbeat", StringComparison.Ordinal));
        Assert.Contains(result.Verbose, v => v.Contains("1,203 rows", StringComparison.Ordinal));
        Assert.DoesNotContain(result.Verbose, v => v.Contains("s3cret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_backup_does_not_hold_is_a_warning()
    {
        var server = await fixture.ServerAsync();
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("modest"));
        var role = fixture.Unique("modest_role");
        await database.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD 'modest'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", TestContext.Current.CancellationToken);
        var result = New(server.Uri(database.Name, role, "modest"), fixture.NewPath()).ThrowIfFailed();
        Assert.Contains(result.Warnings, w => w.Contains("passwords of roles", StringComparison.Ordinal));
        Assert.Single(result.Output);
    }

    [Fact]
    public async Task A_folder_that_others_may_read_is_a_warning()
    {
        var folder = fixture.NewPath();
        Directory.CreateDirectory(folder);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(folder, (UnixFileMode)Convert.ToInt32("755", 8));
        }

        var result = New((await fixture.BackupsAsync()).Url, folder).ThrowIfFailed();
        Assert.Contains(result.Warnings, w => w.Contains("chmod 700", StringComparison.Ordinal));
    }

    private HostedResult New(string url, string folder, string more = "") =>
        _module.Run($"param($Url, $Path) New-MoltBackup $Url -Path $Path {more}", ("Url", url), ("Path", folder));

    private static int UnusedPort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
