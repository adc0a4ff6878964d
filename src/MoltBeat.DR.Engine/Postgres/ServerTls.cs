using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Checks a server's certificate the way libpq does. Npgsql's own checks differ: it verifies against the machine's roots
/// when there is no root file (libpq refuses), and ignores an existing root file under sslmode=require.
/// </summary>
internal sealed class ServerTls
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private readonly ConnectionSettings _settings;
    private readonly string _host;

    /// <exception cref="MoltException"><c>TlsFailed</c>: files that the sslmode needs are missing or unusable.</exception>
    public ServerTls(ConnectionSettings settings, ServerAddress server)
    {
        _settings = settings;
        _host = server.Host;
        RootFile = settings.Get("sslrootcert") ?? Default(settings, "root.crt");
        CertificateFile = settings.Get("sslcert") ?? Default(settings, "postgresql.crt");
        KeyFile = settings.Get("sslkey") ?? Default(settings, "postgresql.key");
        CheckFiles();
    }

    public string RootFile { get; }

    public string CertificateFile { get; }

    public string KeyFile { get; }

    public bool HasClientCertificate => SendsCertificate && File.Exists(CertificateFile);

    /// <summary>Why the last certificate was refused, in words; null when it wasn't.</summary>
    public string? Rejection { get; private set; }

    private bool SendsCertificate => _settings.Get("sslcertmode") != "disable";

    private bool SystemRoots => RootFile == "system";

    private bool Verifies => SystemRoots || File.Exists(RootFile);

    public void Configure(SslClientAuthenticationOptions options)
    {
        // An empty name is not sent; an address never is.
        options.TargetHost = _settings.Get("sslsni") == "0" ? "" : _host;
        options.EnabledSslProtocols = Protocols();
        options.RemoteCertificateValidationCallback = (_, certificate, chain, _) => Accepts(certificate, chain);
        if (!SendsCertificate)
            options.ClientCertificateContext = null;
    }

    internal static string Default(ConnectionSettings settings, string file) => Path.Combine(settings.Surroundings.SettingsFolder, file);

    private void CheckFiles()
    {
        if (_settings.TlsMode >= TlsMode.VerifyCa && !Verifies)
            throw Failed($"there is no root certificate file {RootFile} to check the server's certificate with.",
                "Put the authority's certificate there, name it with sslrootcert=, or use sslrootcert=system with sslmode=verify-full.");
        if (_settings.TlsMode == TlsMode.VerifyFull && _host.Length == 0)
            throw Failed("sslmode=verify-full needs a host name, and only hostaddr was given.", "Add host= with the name in the server's certificate.");
        if (Verifies && File.Exists(Default(_settings, "root.crl")))
            throw new MoltException("ConnectionOptionNotSupported", ErrorKind.NotSupported, $"The revocation list {Default(_settings, "root.crl")} can't be honoured.",
                "Revocation lists are not supported; remove the file.");
        if (_settings.Get("sslcertmode") == "require")
            throw new MoltException("ConnectionOptionNotSupported", ErrorKind.NotSupported, "sslcertmode=require is not supported.", "Use sslcertmode=allow.");
        if (_settings.Get("sslcert") is not null && SendsCertificate && !File.Exists(CertificateFile))
            throw Failed($"there is no client certificate {CertificateFile}.", "Correct sslcert= or PGSSLCERT.");
        if (!HasClientCertificate)
            return;
        if (KeyFile.Contains(':', StringComparison.Ordinal) && !Path.IsPathRooted(KeyFile))
            throw new MoltException("ConnectionOptionNotSupported", ErrorKind.NotSupported, "Keys in a hardware engine are not supported in sslkey.", "Use a key file.");
        if (!File.Exists(KeyFile))
            throw Failed($"there is a client certificate {CertificateFile} but no key {KeyFile}.", "Name the key with sslkey=.");
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(KeyFile) & (UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute)) != 0)
            throw Failed($"others than its owner may open the client key {KeyFile}.", $"Run: chmod 0600 {KeyFile}");
    }

    private bool Accepts(X509Certificate? presented, X509Chain? sent)
    {
        Rejection = null;
        if (!Verifies)
            return true;
        if (presented is null)
        {
            Rejection = "the server showed no certificate";
            return false;
        }

        using X509Certificate2 certificate = new(presented);
        using X509Chain chain = new();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        if (sent is not null)
            chain.ChainPolicy.ExtraStore.AddRange(sent.ChainPolicy.ExtraStore);
        if (!SystemRoots)
        {
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            try
            {
                chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(RootFile);
            }
            catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
            {
                Rejection = $"the root certificate file {RootFile} can't be read: {e.Message}";
                return false;
            }
        }
        if (!chain.Build(certificate))
            Rejection = $"its certificate doesn't lead to a root in {(SystemRoots ? "the system's store" : RootFile)} ({string.Join(", ", chain.ChainStatus.Select(status => status.Status))})";
        else if (_settings.TlsMode == TlsMode.VerifyFull && !Names(certificate))
            Rejection = $"its certificate is not for the host \"{_host}\"";
        return Rejection is null;
    }

    private bool Names(X509Certificate2 certificate)
    {
        try
        {
            return certificate.MatchesHostname(_host);
        }
        catch (ArgumentException)
        {
            // Not a name that a certificate could hold.
            return false;
        }
    }

    private SslProtocols Protocols()
    {
        ReadOnlySpan<(string, int)> versions = [("TLSv1", 0), ("TLSv1.1", 1), ("TLSv1.2", 2), ("TLSv1.3", 3)];
        int least = _settings.Choose("ssl_min_protocol_version", 2, versions);
        int most = _settings.Choose("ssl_max_protocol_version", 3, versions);
        // By number, as the names of the outdated ones are marked obsolete.
        SslProtocols[] all = [(SslProtocols)192, (SslProtocols)768, SslProtocols.Tls12, SslProtocols.Tls13];
        return least > most
            ? throw ConnectionStringReader.Invalid("ssl_min_protocol_version is above ssl_max_protocol_version.")
            : all[least..(most + 1)].Aggregate((one, other) => one | other);
    }

    private static MoltException Failed(string what, string remedy) =>
        new("TlsFailed", ErrorKind.ConnectionFailed, $"TLS can't be set up: {what}", remedy);
}
