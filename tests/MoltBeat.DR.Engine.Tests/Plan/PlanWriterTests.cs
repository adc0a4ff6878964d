using System.Text;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

public sealed class PlanWriterTests : IDisposable
{
    private readonly PlanSandbox sandbox = new();

    public void Dispose() => sandbox.Dispose();

    [Fact]
    public void What_is_written_is_read_again_as_it_was_meant()
    {
        var plan = new BackupPlan(1, 2)
        {
            Databases = [new PlannedDatabase("shop", "env:DATABASE_URL")],
            Stores = [new PlannedStore("near", "/srv/my \"backups\""), new PlannedStore("far", "s3://bucket/é") { Region = "eu-central-1", PathStyle = true, ObjectLock = "Governance", ObjectLockDays = 3 }],
            Retention = new RetentionRules { Daily = new(TimeSpan.FromHours(36), 0) },
            Alerts = new PlannedAlerts { Routes = [new("hook", "webhook") { Url = "env:HOOK" }, new("mail", "email") { Server = "h:25", From = "a@b.c", To = ["d@e.f", "g@h.i"], MostPerHour = 5 }] },
        };
        var read = PlanReader.Read(Encoding.UTF8.GetBytes(PlanWriter.Text(plan)), "x");
        Assert.Equal(plan.Databases.Single().Url, read.Databases.Single().Url);
        Assert.Equal(plan.StoreSettings(), read.StoreSettings());
        Assert.Equal(plan.Retention.Rules, read.Retention.Rules);
        Assert.Equal(2, read.MinimumCopies);
        Assert.Equal(["env:HOOK", null], read.Alerts.Routes.Select(r => r.Url));
        Assert.Equal(["d@e.f", "g@h.i"], read.Alerts.Routes[1].To);
        Assert.Equal(5, read.Alerts.Routes[1].MostPerHour);
    }

    [Fact]
    public void A_starter_without_anything_in_it_can_be_read()
        => Assert.Empty(PlanReader.Read(Encoding.UTF8.GetBytes(PlanWriter.Text(new BackupPlan(1))), "x").Stores);

    [Fact]
    public void A_password_is_never_written()
        => Assert.Equal("SecretInPlan", Assert.Throws<MoltException>(() => PlanWriter.Text(new BackupPlan(1) { Databases = [new("a", "postgresql://u:p@h/d")] })).Id);

    [Fact]
    public void The_file_and_its_new_folder_are_for_their_owner_only_and_nothing_else_is_left()
    {
        var path = Path.Combine(sandbox.Root, "new", "moltbeat", "plan.json");
        PlanWriter.Write(path, "text", overwrite: false);
        Assert.Equal("text", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(path)!));
        }
    }

    [Fact]
    public void A_file_that_is_there_is_replaced_only_when_told_so()
    {
        var path = sandbox.Write("plan.json", "old", UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Equal("PlanExists", Assert.Throws<MoltException>(() => PlanWriter.Write(path, "new", overwrite: false)).Id);
        Assert.Equal("old", File.ReadAllText(path));
        PlanWriter.Write(path, "new", overwrite: true);
        Assert.Equal("new", File.ReadAllText(path));
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(path) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Fact]
    public void What_cannot_be_written_leaves_nothing()
    {
        var file = sandbox.Write("file", "");
        Assert.Equal("PlanNotWritable", Assert.Throws<MoltException>(() => PlanWriter.Write(Path.Combine(file, "plan.json"), "x", overwrite: false)).Id);
        var folder = Directory.CreateDirectory(Path.Combine(sandbox.Root, "plan.json", "inner")).Parent!.FullName;
        Assert.Equal("PlanNotWritable", Assert.Throws<MoltException>(() => PlanWriter.Write(folder, "x", overwrite: true)).Id);
        Assert.Equal(["file", "plan.json"], Directory.GetFileSystemEntries(sandbox.Root).Select(Path.GetFileName).Order());
    }
}
