using System.Diagnostics;
using System.Management.Automation;
using Xunit;

namespace MoltBeat.DR.Tests;

public sealed class MoltCommandTests : IDisposable
{
    private readonly HostedModule _module = new(Staged.TestCommands);
    private readonly string _mark = Path.GetTempFileName();

    public void Dispose()
    {
        _module.Dispose();
        File.Delete(_mark);
    }

    [Fact]
    public void What_the_engine_says_reaches_the_streams()
    {
        var result = _module.Run("Invoke-Scenario Messages -Verbose");
        Assert.Equal(["done"], result.Values);
        Assert.Equal(["first"], result.Verbose);
        Assert.Equal(["second"], result.Warnings);
        Assert.Empty(result.Progress);
    }

    [Fact]
    public void Progress_is_shown_at_most_five_times_a_second_and_then_completed_once()
    {
        var result = _module.Run("Invoke-Scenario Progress 1100").ThrowIfFailed();
        Assert.True((int)result.Values[0] > 1000);
        Assert.InRange(result.Progress.Count, 4, 8);
        Assert.Equal(ProgressRecordType.Completed, result.Progress[^1].RecordType);
        Assert.All(result.Progress.SkipLast(1), r =>
        {
            Assert.Equal(ProgressRecordType.Processing, r.RecordType);
            Assert.Equal(50, r.PercentComplete);
            Assert.Equal(7, r.SecondsRemaining);
        });
    }

    [Theory]
    [InlineData("InvalidData", ErrorCategory.InvalidData)]
    [InlineData("NotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("AlreadyExists", ErrorCategory.ResourceExists)]
    [InlineData("PermissionDenied", ErrorCategory.PermissionDenied)]
    [InlineData("AuthenticationFailed", ErrorCategory.AuthenticationError)]
    [InlineData("ConnectionFailed", ErrorCategory.ConnectionError)]
    [InlineData("Busy", ErrorCategory.ResourceBusy)]
    [InlineData("Timeout", ErrorCategory.OperationTimeout)]
    [InlineData("ResourceFull", ErrorCategory.LimitsExceeded)]
    [InlineData("NotInstalled", ErrorCategory.NotInstalled)]
    [InlineData("NotSupported", ErrorCategory.InvalidOperation)]
    [InlineData("Failed", ErrorCategory.OperationStopped)]
    public void A_known_failure_is_an_error_of_its_item_with_all_that_helps(string kind, ErrorCategory category)
    {
        var result = _module.Run($"'{kind}', '{kind}' | Invoke-Scenario Fail");
        Assert.Null(result.Terminating);
        Assert.Equal(2, result.Errors.Count);
        var error = result.Errors[0];
        Assert.Equal("SomeId,MoltBeat.DR.TestCommands.InvokeScenarioCommand", error.FullyQualifiedErrorId);
        Assert.Equal(category, error.CategoryInfo.Category);
        Assert.Equal("the target", error.TargetObject);
        Assert.Equal("What happened.", error.ErrorDetails.Message);
        Assert.Equal("What to do.", error.ErrorDetails.RecommendedAction);
    }

    [Fact]
    public void Unusable_input_ends_the_command()
    {
        var result = _module.Run("'InvalidArgument', 'InvalidArgument' | Invoke-Scenario Fail");
        Assert.Equal(ErrorCategory.InvalidArgument, result.Error.CategoryInfo.Category);
    }

    [Theory]
    [InlineData("Unexpected", "database")]
    [InlineData("ForeignCancel", null)]
    public void A_failure_nobody_foresaw_has_an_id_and_a_category(string scenario, string? target)
    {
        var error = _module.Run("param($Name) Invoke-Scenario $Name", ("Name", scenario)).Error;
        Assert.Equal("Unexpected,MoltBeat.DR.TestCommands.InvokeScenarioCommand", error.FullyQualifiedErrorId);
        Assert.NotEqual(ErrorCategory.NotSpecified, error.CategoryInfo.Category);
        Assert.Equal(target, error.TargetObject);
    }

    [Fact]
    public async Task Stopping_waits_for_the_clean_up_and_leaves_no_error()
    {
        using var powerShell = _module.Create("param($Mark) Invoke-Scenario Linger -Mark $Mark", ("Mark", _mark));
        var started = new TaskCompletionSource();
        powerShell.Streams.Warning.DataAdded += (_, _) => started.TrySetResult();
        var running = powerShell.InvokeAsync();
        await started.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        var clock = Stopwatch.StartNew();
        await powerShell.StopAsync(null, null);
        Assert.Equal(PSInvocationState.Stopped, powerShell.InvocationStateInfo.State);
        await Assert.ThrowsAsync<PipelineStoppedException>(() => running);
        Assert.InRange(clock.Elapsed, TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(10));
        Assert.Equal("cleaned up", await File.ReadAllTextAsync(_mark, TestContext.Current.CancellationToken));
        Assert.Empty(powerShell.Streams.Error);
    }

    [Fact]
    public void Items_come_one_by_one_in_order()
    {
        Assert.Equal([1, 2, 3], _module.Run("Invoke-Scenario Each 3").ThrowIfFailed().Values.Cast<int>());
    }

    [Theory]
    [InlineData("foreach ($x in 1) { Invoke-Scenario Each 1000000 -Mark $Mark | ForEach-Object { $_; if ($_ -eq 2) { break } } }")]
    [InlineData("try { Invoke-Scenario Each 1000000 -Mark $Mark | ForEach-Object { $_; if ($_ -eq 2) { throw 'enough' } } } catch { }")]
    public void A_command_behind_that_wants_no_more_ends_the_operation_after_its_clean_up(string script)
    {
        var result = _module.Run("param($Mark) " + script, ("Mark", _mark)).ThrowIfFailed();
        Assert.Equal([1, 2], result.Values.Cast<int>());
        Assert.Equal("cleaned up", File.ReadAllText(_mark));
    }

    [Theory]
    [InlineData("Remove-Scenario", "-Confirm:$false")]
    [InlineData("Remove-Scenario -AskAgain -Confirm:$false", "-Force")]
    public void A_question_that_cannot_be_put_is_an_error_that_says_the_way_on(string script, string wayOn)
    {
        var result = _module.Run(script);
        Assert.Empty(result.Values);
        Assert.StartsWith("CannotAsk,", result.Error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains(wayOn, result.Error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal(["removed"], _module.Run($"{script} {wayOn}").ThrowIfFailed().Values);
    }

    [Fact]
    public void WhatIf_asks_nothing_and_does_nothing()
    {
        Assert.Empty(_module.Run("Remove-Scenario -WhatIf").ThrowIfFailed().Values);
    }
}
