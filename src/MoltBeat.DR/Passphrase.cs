using System.Management.Automation;
using System.Runtime.InteropServices;
using System.Security;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>A private key's passphrase as a parameter takes it: a SecureString, or a reference to where it is kept. Shows nothing of itself.</summary>
public sealed class Passphrase
{
    private readonly SecureString? given;
    private readonly SecretReference? reference;

    internal Passphrase(SecureString given) => this.given = given;

    internal Passphrase(SecretReference reference) => this.reference = reference;

    public override string ToString() => reference?.ToString() ?? "********";

    /// <summary>The passphrase itself.</summary>
    /// <exception cref="Engine.MoltException"><c>SecretUnavailable</c>.</exception>
    internal string Reveal(SecretResolver secrets)
    {
        if (reference is not null)
        {
            return secrets.Resolve(reference);
        }

        var bytes = Marshal.SecureStringToGlobalAllocUnicode(given!);
        try
        {
            return Marshal.PtrToStringUni(bytes, given!.Length);
        }
        finally
        {
            Marshal.ZeroFreeGlobalAllocUnicode(bytes);
        }
    }
}

/// <summary>Takes a SecureString, a PSCredential, or a reference (env:NAME, file:/absolute/path, secret:NAME); never a passphrase in plain text.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PassphraseAttribute : ArgumentTransformationAttribute
{
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData) => (inputData is PSObject wrapped ? wrapped.BaseObject : inputData) switch
    {
        null => null,
        Passphrase same => same,
        SecureString given => new Passphrase(given),
        PSCredential credential => new Passphrase(credential.Password),
        string text when SecretReference.From(text) is { } reference => new Passphrase(reference),
        // Never quoted: it may be the passphrase.
        _ => throw new ArgumentTransformationMetadataException("A passphrase does not stand on a command line. Pass a SecureString (Read-Host -AsSecureString), or a reference: env:NAME, file:/absolute/path or secret:NAME."),
    };
}
