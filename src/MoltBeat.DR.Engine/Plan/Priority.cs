namespace MoltBeat.DR.Engine.Plan;

/// <summary>How much it matters, and how soon: of an alert, and of what is to be recovered.</summary>
public enum Priority
{
    /// <summary>The service is down or data is being lost.</summary>
    P0,

    /// <summary>The next disaster would be one: somebody is woken.</summary>
    P1,

    /// <summary>To be looked at today.</summary>
    P2,

    /// <summary>To be known.</summary>
    P3,
}
