using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

public sealed class SecretResolverTests : IDisposable
{
    private readonly PlanSandbox sandbox = new();
    private readonly List<string> warnings = [];

    public void Dispose() => sandbox.Dispose();

    [Fact]
    public void A_text_that_is_no_reference_stands_for_itself()
        => Assert.Equal("postgresql://h/d", Resolver().Resolve("postgresql://h/d"));

    [Fact]
    public void A_variable_a_file_and_a_vault_give_their_secrets()
    {
        var file = sandbox.Write("secret", "s3cret in a file\r\n");
        Assert.Equal("of NAME", Resolver().Resolve("env:NAME"));
        Assert.Equal("s3cret in a file", Resolver().Resolve("file:" + file));
        Assert.Equal("vault's db/prod", Resolver(name => "vault's " + name).Resolve("secret:db/prod"));
        Assert.Empty(warnings);
    }

    [Fact]
    public void A_file_that_others_may_read_gives_its_secret_and_a_warning_without_it()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        var file = sandbox.Write("secret", "s3cret", UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Equal("s3cret", Resolver().Resolve("file:" + file));
        var warning = Assert.Single(warnings);
        Assert.Contains("chmod 0600", warning, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", warning, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("env:UNSET")]
    [InlineData("env:EMPTY")]
    [InlineData("env:")]
    [InlineData("file:relative")]
    [InlineData("file:/nowhere/at/all")]
    [InlineData("file:/")]
    [InlineData("secret:no vault")]
    public void What_cannot_be_had_is_told_by_its_reference(string reference)
    {
        var error = Assert.Throws<MoltException>(() => Resolver().Resolve(reference));
        Assert.Equal("SecretUnavailable", error.Id);
        Assert.Equal(reference, error.TargetObject);
        Assert.NotEmpty(error.Remedy!);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    public void An_empty_file_holds_no_secret(string text)
        => Assert.Equal("SecretUnavailable", Assert.Throws<MoltException>(() => Resolver().Resolve("file:" + sandbox.Write("empty", text))).Id);

    [Fact]
    public void A_file_that_is_no_text_is_not_quoted()
    {
        var file = sandbox.Write("binary", "");
        File.WriteAllBytes(file, [.. "s3cret"u8, 0xff]);
        var error = Assert.Throws<MoltException>(() => Resolver().Resolve("file:" + file));
        Assert.Null(error.InnerException);
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_vault_without_that_name_is_an_error()
        => Assert.Equal("SecretUnavailable", Assert.Throws<MoltException>(() => Resolver(_ => null).Resolve("secret:x")).Id);

    private SecretResolver Resolver(Func<string, string?>? vault = null)
        => new(vault, warnings.Add) { Variable = name => name switch { "NAME" => "of NAME", "EMPTY" => "", _ => null } };
}
