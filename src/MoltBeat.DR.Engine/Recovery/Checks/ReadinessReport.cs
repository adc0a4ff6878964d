using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Checks;

/// <summary>What one look has found, when it was not a failure: that is thrown.</summary>
internal sealed record Finding(ReadinessStatus Status, string Message, string? Remedy = null)
{
    public static Finding Pass(string message) => new(ReadinessStatus.Pass, message);

    public static Finding Warning(string message, string? remedy = null) => new(ReadinessStatus.Warning, message, remedy);

    public static Finding Unknown(string message, string? remedy = null) => new(ReadinessStatus.Unknown, message, remedy);
}

/// <summary>Collects what is looked at before a restore. A look that throws is one that failed; the others are made all the same.</summary>
internal sealed class ReadinessReport
{
    private readonly List<ReadinessCheck> checks = [];
    private readonly List<MoltException> failures = [];

    public IReadOnlyList<ReadinessCheck> Checks => checks;

    public void Add(string name, Finding finding) => checks.Add(new ReadinessCheck(name, finding.Status, finding.Message, finding.Remedy));

    public void Add(string name, Func<Finding> look)
    {
        try
        {
            Add(name, look());
        }
        catch (MoltException e)
        {
            Fail(name, e);
        }
    }

    public async Task AddAsync(string name, Func<Task<Finding>> look)
    {
        try
        {
            Add(name, await look().ConfigureAwait(false));
        }
        catch (MoltException e)
        {
            Fail(name, e);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            Add(name, Finding.Unknown($"The role may not look: {e.MessageText}."));
        }
    }

    /// <exception cref="MoltException">The first failure; its message tells of the others.</exception>
    public void ThrowIfFailed()
    {
        if (failures.Count == 1)
        {
            throw failures[0];
        }

        if (failures.Count > 1)
        {
            throw failures[0].And($"Also in the way: {string.Join(" ", failures.Skip(1).Select(f => f.Message))}");
        }
    }

    private void Fail(string name, MoltException e)
    {
        failures.Add(e);
        checks.Add(new ReadinessCheck(name, ReadinessStatus.Fail, e.Message, e.Remedy, e.Id));
    }
}
