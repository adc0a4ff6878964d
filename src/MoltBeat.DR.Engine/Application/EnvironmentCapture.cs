using System.Globalization;
using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application;

/// <summary>Takes along one environment file: its bytes, its place, mode, owner and time. Only ever into an encrypted archive.</summary>
public sealed class EnvironmentCapture : ICapture
{
    internal EnvironmentCapture(string name, string path)
    {
        Name = name;
        Path = path;
    }

    public ExtraKind Kind => ExtraKind.Environment;

    public string Name { get; }

    /// <summary>Absolute.</summary>
    public string Path { get; }

    public Task PrepareAsync(CaptureContext context, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!context.Encrypts)
        {
            throw NeedsRecipient();
        }

        CryptographicOperations.ZeroMemory(EnvironmentFiles.Read(Path).Content);
        return Task.CompletedTask;
    }

    public async Task<ExtraContents> CaptureAsync(ArchiveWriter archive, IOperationObserver observer, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(archive);
        if (!archive.Encrypts)
        {
            throw NeedsRecipient(); // whoever calls, and whatever was said before
        }

        var (content, facts) = EnvironmentFiles.Read(Path);
        try
        {
            var writer = await ExtraWriter.OpenAsync(archive, ExtraNames.Member(Kind, Name), cancellationToken).ConfigureAwait(false);
            await using (writer.ConfigureAwait(false))
            {
                await writer.WriteAsync(content, cancellationToken).ConfigureAwait(false);
                var part = await writer.CompleteAsync(1, cancellationToken).ConfigureAwait(false);
                var mode = facts.Mode is { } bits ? "0" + Convert.ToString((int)bits, 8).PadLeft(3, '0') : null;
                var file = new ExtraFile(Path, mode, UnixFile.UserName(facts.Owner), UnixFile.GroupName(facts.Group), facts.Modified);
                return new ExtraContents { Kind = Kind, Name = Name, Items = 1, Parts = [part with { File = file }] };
            }
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name} ({Path})");

    private MoltException NeedsRecipient()
        => new("EnvironmentNeedsRecipient", ErrorKind.InvalidArgument, $"{Path} holds secrets, and this backup would not be encrypted.",
            "Name who may open it: -Recipient, or recipients in the plan. Or leave environment files out.", Path);
}
