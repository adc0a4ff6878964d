namespace MoltBeat.DR.Engine.Plan;

/// <summary>What has happened, as far as it decides what is to be done.</summary>
public enum RecoveryScenario
{
    /// <summary>The server stands, and what its database holds is damaged or gone.</summary>
    DatabaseCorruption,

    /// <summary>The server is gone with all that was on it.</summary>
    ServerLoss,

    /// <summary>Somebody has deleted or spoilt some rows; the rest is right and in use.</summary>
    DataDeletion,
}
