using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Replacement;
using MoltBeat.DR.Engine.Recovery.Runbook;
using MoltBeat.DR.Engine.Tests.Alerting;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Runbook;

/// <summary>A damaged database with a backup, an application of a few scripts, and people who are told.</summary>
internal sealed class RunbookBench(TestDatabase database) : IAsyncDisposable
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public Workshop Workshop { get; } = new();

    public AlertBench Alerts { get; } = new();

    /// <summary>The application's health.</summary>
    public AlertReceiver Application { get; } = AlertReceiver.Start();

    public TestDatabase Database => database;

    public string Incidents => Path.Combine(Alerts.Root, "incidents");

    /// <summary>What the hooks have written, a word a line.</summary>
    public string[] Log => File.Exists(LogFile) ? File.ReadAllLines(LogFile) : [];

    public IReadOnlyList<PlannedContact> Contacts { get; set; } = [];

    public IReadOnlyList<PlannedHook> Stop { get; set; } = [];

    public IReadOnlyList<PlannedHook> Start { get; set; } = [];

    public int HealthSeconds { get; set; } = 20;

    public List<string> Asked { get; } = [];

    private string LogFile => Path.Combine(Alerts.Root, "hooks");

    public static async Task<RunbookBench> MakeAsync(PostgresFixture fixture)
    {
        var bench = new RunbookBench(await fixture.CreateDatabaseAsync("recovered"));
        await bench.Database.ExecuteAsync("CREATE TABLE state (id int PRIMARY KEY, v text); INSERT INTO state SELECT i, 'good' FROM generate_series(1, 500) i", Cancel);
        bench.Stop = [bench.Hook("echo stop >> \"$0\"")];
        bench.Start = [bench.Hook("echo start >> \"$0\"")];
        bench.Application.Always = new AlertAnswer(200);
        return bench;
    }

    public PlannedHook Hook(string script, int? seconds = null) => new() { Command = ["/bin/sh", "-c", script, LogFile], TimeoutSeconds = seconds };

    public Task<BackupInfo> BackupAsync() => Workshop.BackupAsync(Database);

    public Task DamageAsync(string value = "damaged") => Database.ExecuteAsync($"UPDATE state SET v = '{value}'", Cancel);

    public RunbookOptions Options(bool resume = false) => new()
    {
        Scenario = RecoveryScenario.DatabaseCorruption,
        Plan = new BackupPlan(1)
        {
            Hooks = new PlannedHooks { Stop = Stop, Start = Start, Health = new PlannedHealth(Application.Address + "/health") { TimeoutSeconds = HealthSeconds } },
            Contacts = Contacts,
            Alerts = Alerts.Only("hook"),
        },
        Connection = ConnectionSettings.Parse(Database.Uri),
        BackedUpAs = Database.Name,
        Stores = [Workshop.Store],
        Alerts = Alerts.Sender(Alerts.Only("hook")),
        IncidentFolder = Incidents,
        Resume = resume,
        Jobs = 2,
        Clock = Alerts.Time,
    };

    /// <summary>Runs to the end or to where it stops.</summary>
    /// <param name="options">What.</param>
    /// <param name="decline">The step at which the answer is no.</param>
    public async Task<(List<RunbookStep> Steps, MoltException? Failure)> RunAsync(RunbookOptions? options = null, string? decline = null)
    {
        var steps = new List<RunbookStep>();
        try
        {
            await foreach (var step in RunbookRunner.RunAsync(options ?? Options(), step =>
            {
                Asked.Add(step.Name);
                return Task.FromResult(step.Name != decline);
            }, Workshop, Cancel))
            {
                steps.Add(step);
            }
        }
        catch (MoltException e)
        {
            return (steps, e);
        }

        return (steps, null);
    }

    /// <summary>The word that all rows have.</summary>
    public async Task<string> StateAsync()
    {
        await using var connection = await Database.Server.OpenAsync(Database.Name, cancel: Cancel);
        await using var command = new NpgsqlCommand("SELECT string_agg(DISTINCT v, ',') || ' ' || count(*) FROM state", connection);
        return (string)(await command.ExecuteScalarAsync(Cancel))!;
    }

    public Task<IReadOnlyList<PreviousDatabase>> PreviousAsync() => PreviousRemoval.ListAsync(ConnectionSettings.Parse(Database.Uri), Cancel);

    public string Incident(string file) => File.ReadAllText(Path.Combine(Assert.Single(Directory.GetDirectories(Incidents)), file));

    public async ValueTask DisposeAsync()
    {
        foreach (var previous in await PreviousAsync())
        {
            await Database.Server.DropDatabaseAsync(previous.Name, CancellationToken.None);
        }

        await Database.DisposeAsync();
        await Application.DisposeAsync();
        await Alerts.DisposeAsync();
        Workshop.Dispose();
    }
}
