using Xunit;

namespace MoltBeat.DR.Tests;

public sealed class HostTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("molt").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("'fine'", 0)]
    [InlineData("exit 7", 7)]
    [InlineData("exit 0", 0)]
    [InlineData("throw 'no'", 1)]
    [InlineData("no-such-command", 1)]
    [InlineData("no-such-command; 'fine'", 0)]
    [InlineData("'fine'; no-such-command", 1)]
    [InlineData("$ErrorActionPreference = 'Stop'; no-such-command; 'fine'", 1)]
    [InlineData("sh -c 'exit 9'", 1)]
    [InlineData("sh -c 'exit 9'; exit $LASTEXITCODE", 9)]
    [InlineData("if (", 1)]
    public async Task A_command_ends_with_the_code_that_pwsh_gives(string command, int expected)
    {
        var result = await MoltProcess.RunAsync("-NoProfile", "-Command", command);
        Assert.Equal(expected, result.ExitCode);
    }

    [Theory]
    [InlineData("'fine'", 0)]
    [InlineData("exit 7", 7)]
    [InlineData("throw 'no'", 1)]
    [InlineData("no-such-command", 0)]
    [InlineData("sh -c 'exit 9'", 0)]
    [InlineData("sh -c 'exit 9'; exit 3", 3)]
    [InlineData("sh -c 'exit 9'; exit 0", 0)]
    [InlineData("if (", 1)]
    public async Task A_script_ends_with_the_code_that_pwsh_gives(string text, int expected)
    {
        var result = await MoltProcess.RunAsync("-File", Script(text));
        Assert.Equal(expected, result.ExitCode);
    }

    [Fact]
    public async Task Objects_go_to_standard_output_and_all_else_to_standard_error()
    {
        var result = await MoltProcess.RunAsync("-c", """
            function Say {
                [CmdletBinding()] param()
                $PSCmdlet.WriteWarning('careful')
                $PSCmdlet.WriteVerbose('details')
                $PSCmdlet.WriteProgress([System.Management.Automation.ProgressRecord]::new(1, 'working', 'halfway'))
                no-such-command
                [pscustomobject]@{ Name = 'moltbeat'; Rows = 5 }
            }
            Say -Verbose
            """);
        Assert.Equal(
            ["Name     Rows", "----     ----", "moltbeat    5"],
            result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.TrimEnd()));
        Assert.Contains("WARNING: careful\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("VERBOSE: details\n", result.Error, StringComparison.Ordinal);
        Assert.Contains("no-such-command", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("halfway", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\x1b', result.Output + result.Error);
    }

    [Fact]
    public async Task Text_that_cannot_be_parsed_is_reported_with_its_reason()
    {
        var result = await MoltProcess.RunAsync("-c", "if (");
        Assert.Contains("Missing condition in if statement", result.Error, StringComparison.Ordinal);
        Assert.Empty(result.Output);
    }

    [Fact]
    public async Task A_script_gets_its_arguments_as_at_a_prompt()
    {
        var script = Script("""
            param([string] $Name, [switch] $Quick, [switch] $Full, [int] $Jobs, [Parameter(ValueFromRemainingArguments)] [string[]] $Rest)
            "<$Name> $Quick $Full $Jobs <$($Rest -join '|')> $($PSScriptRoot -eq [IO.Path]::GetDirectoryName($PSCommandPath))"
            """);
        var result = await MoltProcess.RunAsync(
            "-NonInteractive", "-File", script, "-Name", "it's ’odd’ $HOME", "-Quick", "-Full:$false", "-Jobs:4", "-5", "a b", "`$x;exit 3");
        Assert.Equal("<it's ’odd’ $HOME> True False 4 <-5|a b|`$x;exit 3> True\n", result.Output);
    }

    [Fact]
    public async Task A_command_can_come_from_standard_input()
    {
        var result = await MoltProcess.RunAsync("$x = 20\n$x + 1\nexit 4\n", ["-Command", "-"]);
        Assert.Equal(4, result.ExitCode);
        Assert.Equal("21\n", result.Output);
    }

    [Theory]
    [InlineData("-Fiel", "x.ps1")]
    [InlineData("-Command")]
    [InlineData("-File", "/no/such/script.ps1")]
    [InlineData]
    public async Task A_command_line_that_makes_no_sense_is_64_with_the_reason(params string[] arguments)
    {
        var result = await MoltProcess.RunAsync(arguments);
        Assert.Equal(64, result.ExitCode);
        Assert.NotEmpty(result.Error);
        Assert.Empty(result.Output);
    }

    [Fact]
    public async Task Version_names_both_versions()
    {
        var result = await MoltProcess.RunAsync("-Version");
        Assert.Matches(@"^molt \d+\.\d+\.\d+, PowerShell 7\.6\.\d+\n$", result.Output);
    }

    [Theory]
    [InlineData("$Host.UI.PromptForChoice('c', 'm', @('&Yes', '&No'), 1)")]
    [InlineData("$Host.UI.ReadLine()")]
    [InlineData("$Host.UI.ReadLineAsSecureString()")]
    [InlineData("function Ask { param([Parameter(Mandatory)] $Value) $Value }; Ask")]
    public async Task A_question_that_nobody_can_answer_is_an_error(string command)
    {
        foreach (var arguments in new string[][] { ["-c", command], ["-NonInteractive", "-c", command] })
        {
            var result = await MoltProcess.RunAsync("y\ny\n", arguments);
            Assert.Equal(1, result.ExitCode);
            Assert.NotEmpty(result.Error);
            Assert.Empty(result.Output);
        }
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public async Task A_signal_stops_the_script_runs_its_finally_and_gives_its_code(string signal, int expected)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals.");
        var mark = Path.Combine(_folder, "mark");
        using var process = MoltProcess.StartInterruptible(
            "-c", $"try {{ 'started'; while ($true) {{ [Threading.Thread]::Sleep(20) }} }} finally {{ [IO.File]::WriteAllText('{mark}', 'x') }}");
        Assert.Equal("started", await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        MoltProcess.Signal(process, signal);
        var result = await MoltProcess.EndAsync(process);
        Assert.Equal(expected, result.ExitCode);
        Assert.True(File.Exists(mark));
    }

    [Fact]
    public async Task On_a_terminal_a_question_is_answered()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The terminal comes from util-linux.");
        var result = await MoltProcess.RunOnTerminalAsync(
            "exit 40 + $Host.UI.PromptForChoice('Restore', 'Really?', @('&Yes', '&No'), 0)", "(default is \"Y\"): ", "n\r");
        Assert.Contains("[Y] Yes  [N] No", result.Output, StringComparison.Ordinal);
        Assert.Equal(41, result.ExitCode);
    }

    [Fact]
    public async Task On_a_terminal_a_secret_is_read_without_echo()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The terminal comes from util-linux.");
        var result = await MoltProcess.RunOnTerminalAsync(
            "'ask'; $s = $Host.UI.ReadLineAsSecureString(); \"length $($s.Length)\"", "ask", "hidden\r");
        Assert.Contains("length 6", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_C_breaks_off_a_question_and_gives_130()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The terminal comes from util-linux.");
        var result = await MoltProcess.RunOnTerminalAsync(
            "try { 'ask'; $Host.UI.ReadLine() } finally { [Console]::WriteLine('finally') }", "ask", "\x03");
        Assert.Contains("finally", result.Output, StringComparison.Ordinal);
        Assert.Equal(130, result.ExitCode);
    }

    [Fact]
    public async Task On_a_terminal_progress_is_one_line_that_is_wiped()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The terminal comes from util-linux.");
        var result = await MoltProcess.RunOnTerminalAsync("""
            function Work {
                [CmdletBinding()] param()
                foreach ($n in 1, 2) {
                    $record = [System.Management.Automation.ProgressRecord]::new(1, 'working', "part $n")
                    $record.PercentComplete = $n * 10
                    $PSCmdlet.WriteProgress($record)
                    "object $n"
                }
            }
            Work
            """);
        Assert.Contains("\rworking: 10 % part 1\x1b[K\r\x1b[Kobject 1\r\n\rworking: 20 % part 2", result.Output, StringComparison.Ordinal);
        Assert.EndsWith("\r\x1b[K", result.Output.Split("object 2")[0], StringComparison.Ordinal);
    }

    private string Script(string text)
    {
        var path = Path.Combine(_folder, "it's a script.ps1");
        File.WriteAllText(path, text);
        return path;
    }
}
