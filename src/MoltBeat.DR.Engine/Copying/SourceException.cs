namespace MoltBeat.DR.Engine.Copying;

/// <summary>It was the copy that is read that failed, so that another may do.</summary>
internal sealed class SourceException(MoltException cause) : Exception(cause.Message, cause)
{
    public MoltException Cause => cause;
}
