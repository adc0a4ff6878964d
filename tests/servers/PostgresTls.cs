using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MoltBeat.TestServers;

/// <summary>
/// Certificates of a server with TLS, and what a client needs. The server's certificate names <c>localhost</c> only: by
/// <c>127.0.0.1</c> the same server passes <c>verify-ca</c> and fails <c>verify-full</c>.
/// </summary>
public sealed class PostgresTls
{
    /// <summary>May connect over TCP with TLS only; its password is the superuser's.</summary>
    public const string TlsOnlyRole = "tls_only";

    /// <summary>May connect over TCP without TLS only; its password is the superuser's.</summary>
    public const string PlainOnlyRole = "plain_only";

    /// <summary>Connects with <see cref="ClientCertificate"/> only; it has no password.</summary>
    public const string CertificateRole = "certificate_only";

    private readonly string _folder;

    private PostgresTls(string folder) => _folder = folder;

    /// <summary>The authority that signed the server's and the client's certificates (PEM): <c>sslrootcert</c>.</summary>
    public string RootCertificate => Path.Combine(_folder, "root.crt");

    /// <summary>An authority that signed neither (PEM).</summary>
    public string OtherRootCertificate => Path.Combine(_folder, "other-root.crt");

    /// <summary>The certificate of <see cref="CertificateRole"/> (PEM): <c>sslcert</c>.</summary>
    public string ClientCertificate => Path.Combine(_folder, "client.crt");

    /// <summary>Its key (PEM, mode 0600): <c>sslkey</c>.</summary>
    public string ClientKey => Path.Combine(_folder, "client.key");

    internal string ServerCertificate => Path.Combine(_folder, "server.crt");

    internal string ServerKey => Path.Combine(_folder, "server.key");

    internal static async Task<PostgresTls> CreateAsync(string folder, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        var tls = new PostgresTls(folder);
        using var root = Authority("MoltBeat test authority");
        using var other = Authority("Another test authority");
        await File.WriteAllTextAsync(tls.RootCertificate, root.ExportCertificatePem(), cancel).ConfigureAwait(false);
        await File.WriteAllTextAsync(tls.OtherRootCertificate, other.ExportCertificatePem(), cancel).ConfigureAwait(false);

        await IssueAsync(root, "localhost", server: true, tls.ServerCertificate, tls.ServerKey, cancel).ConfigureAwait(false);
        await IssueAsync(root, CertificateRole, server: false, tls.ClientCertificate, tls.ClientKey, cancel).ConfigureAwait(false);
        await ServiceUser.GiveAsync(tls.ServerKey, cancel).ConfigureAwait(false);
        return tls;
    }

    private static X509Certificate2 Authority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
    }

    private static async Task IssueAsync(
        X509Certificate2 authority, string name, bool server, string certificateFile, string keyFile, CancellationToken cancel)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(server ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2")], false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false));
        if (server)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(name);
            request.CertificateExtensions.Add(names.Build());
        }

        using var certificate = request.Create(
            authority, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(29), RandomNumberGenerator.GetBytes(16));
        await File.WriteAllTextAsync(certificateFile, certificate.ExportCertificatePem(), cancel).ConfigureAwait(false);
        await File.WriteAllTextAsync(keyFile, key.ExportPkcs8PrivateKeyPem(), cancel).ConfigureAwait(false);
        // PostgreSQL and libpq refuse a key that others may read.
        File.SetUnixFileMode(keyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
