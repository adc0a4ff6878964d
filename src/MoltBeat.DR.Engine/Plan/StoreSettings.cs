using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>Which checksums the S3 client adds to what it sends.</summary>
public enum ChecksumMode
{
    /// <summary>Always for Amazon's own endpoints, only where the protocol wants them for others: the trailers break some.</summary>
    Auto,
    WhenRequired,
    WhenSupported,
}

/// <summary>How an object store keeps a backup from being removed too early.</summary>
public enum ObjectLockMode
{
    None,

    /// <summary>Those with a special right may remove it.</summary>
    Governance,

    /// <summary>Nobody may.</summary>
    Compliance,
}

/// <summary>
/// Where backups are kept and how: a folder, or a bucket and a prefix in it. Holds no credentials: those come from the
/// machine's own surroundings (environment, profile, role of the machine).
/// </summary>
public sealed record StoreSettings
{
    private const string Scheme = "s3://";

    /// <summary>What it is called in messages and in -Destination; a plan gives it, else it is the location.</summary>
    public required string Name { get; init; }

    /// <summary>An absolute path of this machine; null for a bucket.</summary>
    public string? Folder { get; init; }

    /// <summary>A bucket's name; null for a folder.</summary>
    public string? Bucket { get; init; }

    /// <summary>What stands before the names of all objects, with a slash at its end; empty for none.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>The address of an S3-compatible service; null for Amazon's.</summary>
    public Uri? Endpoint { get; init; }

    public string? Region { get; init; }

    /// <summary>A profile of the AWS configuration files.</summary>
    public string? Profile { get; init; }

    /// <summary>ARN of a role to assume.</summary>
    public string? Role { get; init; }

    /// <summary>S3's storage class for archives, such as STANDARD_IA; null for the bucket's default.</summary>
    public string? StorageClass { get; init; }

    /// <summary><c>AES256</c> or <c>aws:kms</c>; null for the bucket's default.</summary>
    public string? Encryption { get; init; }

    /// <summary>Id or ARN of the KMS key, with <c>aws:kms</c>.</summary>
    public string? KmsKey { get; init; }

    /// <summary>The bucket in the path and not in the host name; null for: with a custom endpoint only.</summary>
    public bool? PathStyle { get; init; }

    public ChecksumMode Checksums { get; init; }

    public ObjectLockMode ObjectLock { get; init; }

    /// <summary>For how long after it was made an archive is locked.</summary>
    public int ObjectLockDays { get; init; }

    /// <summary>Seconds of silence after which a request to an object store is given up and tried again; null for <see cref="DefaultTimeout"/>.</summary>
    public int? TimeoutSeconds { get; init; }

    /// <summary>Long enough for a connection that has lost a few packets.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(20);

    internal TimeSpan Timeout => TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : DefaultTimeout;

    public bool IsS3 => Bucket is not null;

    /// <summary>The same for two settings of the same place, and for no others.</summary>
    public string Place => Endpoint is null ? Location : Endpoint.Authority + " " + Location;

    /// <summary>Nothing but the place was said.</summary>
    public bool SettingsAreDefault => !Settings().Any();

    /// <summary>For people: the folder, or bucket and prefix as a URI.</summary>
    public string Location => Folder ?? Scheme + Bucket + "/" + Prefix;

    /// <summary>Reads <c>s3://bucket/prefix?endpoint=…&amp;region=…</c>, or a path.</summary>
    /// <param name="text">What the user wrote; a path must be absolute already.</param>
    /// <param name="options">Settings for every S3 store; what the URI says goes before.</param>
    /// <exception cref="MoltException"><c>StoreInvalid</c>.</exception>
    public static StoreSettings Parse(string text, IReadOnlyDictionary<string, string>? options = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!IsUri(text))
        {
            return new StoreSettings { Name = text, Folder = text };
        }

        var (address, query) = text.IndexOf('?', StringComparison.Ordinal) is var at and >= 0 ? (text[..at], text[(at + 1)..]) : (text, "");
        var path = address[Scheme.Length..];
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var bucket = slash < 0 ? path : path[..slash];
        var prefix = slash < 0 ? "" : path[(slash + 1)..].Trim('/');
        if (bucket.Length is < 3 or > 63 || !bucket.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'))
        {
            throw Invalid(text, $"'{Shown(bucket)}' is no name of a bucket{(bucket.Contains('@', StringComparison.Ordinal) ? "; credentials do not belong there: they come from the environment, a profile or the machine's role" : "")}");
        }

        if (prefix.Split('/').Any(p => p is "." or "..") || prefix.Any(char.IsControl) || Encoding.UTF8.GetByteCount(prefix) > 700)
        {
            throw Invalid(text, "its prefix holds '.' or '..' as a part, a control character, or is longer than 700 bytes");
        }

        var settings = new StoreSettings { Name = Scheme + bucket + (prefix.Length > 0 ? "/" + prefix : ""), Bucket = bucket, Prefix = prefix.Length > 0 ? prefix + "/" : "" };
        var all = (options ?? ImmutableDictionary<string, string>.Empty).ToDictionary(o => o.Key, o => o.Value, StringComparer.OrdinalIgnoreCase);
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                throw Invalid(text, "one of its settings is not of the form name=value");
            }

            all[pair[..equals]] = Uri.UnescapeDataString(pair[(equals + 1)..]);
        }

        var complete = all.Aggregate(settings, (s, o) => s.With(o.Key, o.Value, text)).Checked(text);

        // Two services may have a bucket of one name each.
        return complete.Endpoint is null ? complete : complete with { Name = $"{complete.Name} at {complete.Endpoint.Authority}" };
    }

    /// <summary>Whether a text names a bucket and not a folder. Any other scheme is refused by <see cref="Parse"/>'s callers as a path.</summary>
    public static bool IsUri(string text) => text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase);

    /// <summary>A path or URI of one file in this store, that <see cref="ParseItem"/> takes apart again, settings included.</summary>
    public string ItemLocation(string name)
    {
        if (Folder is not null)
        {
            return Path.Combine(Folder, name);
        }

        var settings = string.Join('&', Settings().Select(s => s.Key + "=" + Uri.EscapeDataString(s.Value)));
        return Scheme + Bucket + "/" + Prefix + name + (settings.Length > 0 ? "?" + settings : "");
    }

    /// <summary>Takes a path or URI of one backup apart.</summary>
    /// <param name="text">Such as <see cref="ItemLocation"/> gives it.</param>
    /// <param name="options">As of <see cref="Parse"/>.</param>
    /// <returns>Its store and the file name in it.</returns>
    /// <exception cref="MoltException"><c>StoreInvalid</c>.</exception>
    public static (StoreSettings Store, string Name) ParseItem(string text, IReadOnlyDictionary<string, string>? options = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!IsUri(text))
        {
            return (Parse(Path.GetDirectoryName(text) is { Length: > 0 } folder ? folder : "/"), Path.GetFileName(text));
        }

        var query = text.IndexOf('?', StringComparison.Ordinal) is var at and >= 0 ? at : text.Length;
        var slash = text.LastIndexOf('/', query - 1);
        var name = text[(slash + 1)..query];
        return slash < Scheme.Length || name.Length == 0
            ? throw Invalid(text, "it names no backup in the bucket")
            : (Parse(text[..slash] + text[query..], options), name);
    }

    public override string ToString() => Name;

    /// <summary>What differs from the defaults, by the names that a URI takes.</summary>
    private IEnumerable<KeyValuePair<string, string>> Settings()
    {
        KeyValuePair<string, string>? Of(string name, string? value) => value is null ? null : new(name, value);
        return new[]
        {
            Of("endpoint", Endpoint?.ToString()), Of("region", Region), Of("profile", Profile), Of("role", Role),
            Of("storageClass", StorageClass), Of("encryption", Encryption), Of("kmsKey", KmsKey),
            Of("pathStyle", PathStyle?.ToString().ToLowerInvariant()),
            Of("checksums", Checksums == ChecksumMode.Auto ? null : Checksums.ToString()),
            Of("objectLock", ObjectLock == ObjectLockMode.None ? null : ObjectLock.ToString()),
            Of("objectLockDays", ObjectLockDays == 0 ? null : ObjectLockDays.ToString(CultureInfo.InvariantCulture)),
            Of("timeoutSeconds", TimeoutSeconds?.ToString(CultureInfo.InvariantCulture)),
        }.OfType<KeyValuePair<string, string>>();
    }

    private StoreSettings With(string name, string value, string text) => name.ToUpperInvariant() switch
    {
        "ENDPOINT" => this with { Endpoint = Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.UserInfo.Length == 0 ? uri : throw Invalid(text, "endpoint is no http:// or https:// address without user and password") },
        "REGION" => this with { Region = value },
        "PROFILE" => this with { Profile = value },
        "ROLE" => this with { Role = value },
        "STORAGECLASS" => this with { StorageClass = value },
        "ENCRYPTION" => this with { Encryption = value is "AES256" or "aws:kms" ? value : throw Invalid(text, "encryption is AES256 or aws:kms") },
        "KMSKEY" => this with { KmsKey = value, Encryption = "aws:kms" },
        "PATHSTYLE" => this with { PathStyle = bool.TryParse(value, out var style) ? style : throw Invalid(text, "pathStyle is true or false") },
        "CHECKSUMS" => this with { Checksums = Enum.TryParse<ChecksumMode>(value, true, out var mode) && Enum.IsDefined(mode) ? mode : throw Invalid(text, "checksums is Auto, WhenRequired or WhenSupported") },
        "OBJECTLOCK" => this with { ObjectLock = Enum.TryParse<ObjectLockMode>(value, true, out var mode) && Enum.IsDefined(mode) ? mode : throw Invalid(text, "objectLock is None, Governance or Compliance") },
        "OBJECTLOCKDAYS" => this with { ObjectLockDays = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var days) && days is > 0 and <= 36500 ? days : throw Invalid(text, "objectLockDays is a number of days, at least 1") },
        "TIMEOUTSECONDS" => this with { TimeoutSeconds = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds is > 0 and <= 3600 ? seconds : throw Invalid(text, "timeoutSeconds is a number of seconds, 1 to 3600") },
        _ => throw Invalid(text, $"there is no setting '{name}': endpoint, region, profile, role, storageClass, encryption, kmsKey, pathStyle, checksums, objectLock, objectLockDays and timeoutSeconds are"),
    };

    private StoreSettings Checked(string text)
        => (ObjectLock == ObjectLockMode.None) != (ObjectLockDays == 0)
            ? throw Invalid(text, "objectLock and objectLockDays go together")
            : KmsKey is not null && Encryption != "aws:kms" ? throw Invalid(text, "a kmsKey goes with encryption=aws:kms") : this;

    private static MoltException Invalid(string text, string why)
        => new("StoreInvalid", ErrorKind.InvalidArgument, $"{Shown(text)} names no store: {why}.",
            "Name a folder, or a bucket as s3://bucket/prefix, with settings behind a question mark: s3://bucket/prefix?region=eu-central-1&storageClass=STANDARD_IA.", Shown(text));

    /// <summary>Without the values of settings and without what stands before an @: somebody may have put a secret there.</summary>
    private static string Shown(string text)
    {
        var (address, query) = text.IndexOf('?', StringComparison.Ordinal) is var at and >= 0 ? (text[..at], "?…") : (text, "");
        var user = address.LastIndexOf('@');
        return (user < 0 ? address : (address.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? Scheme : "") + "…" + address[user..]) + query;
    }
}
