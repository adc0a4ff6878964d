using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

public sealed class ClientToolsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-tools-").FullName;

    [Fact]
    public void Says_when_the_programs_are_older_than_the_server()
    {
        MakeTools("12.22 (Debian 12.22-1)");
        MoltException e = Assert.Throws<MoltException>(() => ClientTools.Find(15, _folder));
        Assert.Equal(("ClientToolsTooOld", ErrorKind.NotInstalled), (e.Id, e.Kind));
        Assert.Contains("12.22", e.Message, StringComparison.Ordinal);
        Assert.Contains("15", e.Message, StringComparison.Ordinal);
        Assert.Contains("postgresql-client-15", e.Remedy, StringComparison.Ordinal);
        Assert.Equal("12.22", ClientTools.Find(12, _folder).Version);
    }

    [Theory]
    [InlineData("18beta2", 18)]
    [InlineData("19devel", 19)]
    [InlineData("17.0", 17)]
    public void Reads_versions_of_every_form(string version, int major)
    {
        MakeTools(version);
        ClientTools tools = ClientTools.Find(15, _folder);
        Assert.Equal((version, major, Path.Combine(_folder, "psql")), (tools.Version, tools.Major, tools.Psql));
    }

    [Fact]
    public void Says_where_it_looked_when_a_program_is_missing()
    {
        MakeTools("15.1");
        File.Delete(Path.Combine(_folder, "pg_restore"));
        MoltException e = Assert.Throws<MoltException>(() => ClientTools.Find(15, _folder));
        Assert.Equal("ClientToolsMissing", e.Id);
        Assert.Contains(_folder, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Looks_nowhere_else_when_a_folder_is_named() =>
        Assert.Equal("ClientToolsMissing", Assert.Throws<MoltException>(() => ClientTools.Find(9, Path.Combine(_folder, "empty"))).Id);

    [Fact]
    public void Passes_over_a_wrapper_that_chooses_a_version_itself()
    {
        MakeTools("15.1");
        string wrapper = Path.Combine(_folder, "pg_wrapper");
        File.Move(Path.Combine(_folder, "pg_dump"), wrapper);
        File.CreateSymbolicLink(Path.Combine(_folder, "pg_dump"), wrapper);
        Assert.Equal("ClientToolsMissing", Assert.Throws<MoltException>(() => ClientTools.Find(15, _folder)).Id);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void MakeTools(string version)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The stand-ins are shell scripts.");
        foreach (string name in new[] { "pg_dump", "pg_dumpall", "pg_restore", "psql" })
        {
            string file = Path.Combine(_folder, name);
            File.WriteAllText(file, $"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n");
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }
}
