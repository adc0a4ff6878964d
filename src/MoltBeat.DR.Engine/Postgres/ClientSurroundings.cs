namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// What libpq takes from the process around it: environment variables, the home folder, the operating system's user.
/// Gathered here so that a test can stand in for all of it.
/// </summary>
internal sealed record ClientSurroundings(Func<string, string?> Variable, string Home, string SystemUser, bool Windows)
{
    public static ClientSurroundings OfThisProcess { get; } = new(
        Environment.GetEnvironmentVariable,
        Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
        Environment.UserName,
        OperatingSystem.IsWindows());

    /// <summary>Where the server's unix socket is looked for when no host is named; <c>localhost</c> where there are none.</summary>
    public string DefaultHost => Windows ? "localhost" : Directory.Exists(DebianSocketFolder) ? DebianSocketFolder : UpstreamSocketFolder;

    public string PasswordFile => Windows ? Path.Combine(SettingsFolder, "pgpass.conf") : Path.Combine(Home, ".pgpass");

    public string ServiceFile => Windows ? Path.Combine(SettingsFolder, ".pg_service.conf") : Path.Combine(Home, ".pg_service.conf");

    /// <summary>The folder of the default certificate files.</summary>
    public string SettingsFolder => Windows
        ? Path.Combine(Variable("APPDATA") ?? Home, "postgresql")
        : Path.Combine(Home, ".postgresql");

    /// <summary>The system-wide service file; its folder is fixed when libpq is built, so the usual ones are tried.</summary>
    public IEnumerable<string> SystemServiceFiles =>
        Variable("PGSYSCONFDIR") is { Length: > 0 } named
            ? [Path.Combine(named, "pg_service.conf")]
            : Windows ? [] : ["/etc/postgresql-common/pg_service.conf", "/etc/sysconfig/pgsql/pg_service.conf", "/usr/local/pgsql/etc/pg_service.conf"];

    public const string DebianSocketFolder = "/var/run/postgresql";
    public const string UpstreamSocketFolder = "/tmp";
}
