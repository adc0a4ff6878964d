using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Amazon.Runtime;
using Amazon.S3;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Turns what an object store answers into errors that say what to do.</summary>
internal static class S3Errors
{
    /// <summary>Whether the store, and neither we nor whoever stops us, is at fault.</summary>
    public static bool AreTheStores(Exception e, CancellationToken cancellationToken)
        => e is AmazonServiceException or AmazonClientException or HttpRequestException or IOException or SocketException or TimeoutException or StoreSilentException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    /// <summary>The store's own words, with its code.</summary>
    public static string Text(Exception e) => e is AmazonServiceException { ErrorCode.Length: > 0 } service
        ? string.Create(CultureInfo.InvariantCulture, $"{service.ErrorCode} ({(int)service.StatusCode}): {service.Message}")
        : Innermost(e);

    /// <param name="e">What was thrown.</param>
    /// <param name="settings">The store it is about.</param>
    /// <param name="key">The object it is about; null for the store itself.</param>
    /// <returns>Null for what has nothing to do with the store.</returns>
    public static MoltException? Translate(Exception e, StoreSettings settings, string? key)
    {
        var store = Shown(settings);
        var target = key is null ? store : $"s3://{settings.Bucket}/{key}";
        MoltException Of(string id, ErrorKind kind, string message, string remedy) => new(id, kind, message, remedy, target, e);
        return e switch
        {
            AmazonS3Exception s3 => Answered(s3, settings, target, Of),
            AmazonClientException when Within<AmazonServiceException>(e) is { } service
                => Of("StoreCredentialsInvalid", ErrorKind.AuthenticationFailed, $"No credentials for {store}: {(settings.Role is null ? "" : $"the role {settings.Role} cannot be assumed, ")}{Text(service)}", "Check the role's name and who may assume it, and where roles are asked for (AWS_ENDPOINT_URL_STS)."),
            AmazonClientException client when client.Message.Contains("redential", StringComparison.Ordinal) || client.Message.Contains("instance", StringComparison.Ordinal)
                => Of("StoreCredentialsMissing", ErrorKind.AuthenticationFailed, $"There are no credentials for {store}: {client.Message}",
                    "Give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, by a profile of the AWS configuration files, or by the machine's role."),
            AmazonClientException client when client.Message.Contains("egion", StringComparison.Ordinal)
                => Of("StoreWrongRegion", ErrorKind.InvalidData, $"Nothing says in which region {store} is.", "Give region=… in the store's URI or plan, or AWS_REGION."),
            _ when Within<AuthenticationException>(e) is { } refusal => Of("StoreCertificateInvalid", ErrorKind.AuthenticationFailed, $"{store} shows a certificate that is not trusted: {refusal.Message}",
                "Check that the endpoint is the right one. If it is, have the machine trust the authority that signed its certificate (SSL_CERT_FILE, or update-ca-certificates)."),
            _ when AreTheStores(e, CancellationToken.None)
                => Of("StoreUnreachable", ErrorKind.ConnectionFailed, $"{store} does not answer: {Innermost(e)}", "Check the endpoint, the network and the proxy settings; a failed copy can be made later with Copy-MoltBackup."),
            _ => null,
        };
    }

    private static MoltException Answered(AmazonS3Exception e, StoreSettings settings, string target, Func<string, ErrorKind, string, string, MoltException> of)
    {
        var store = Shown(settings);
        var why = string.IsNullOrWhiteSpace(e.Message) ? "" : ": " + e.Message;
        return e.ErrorCode switch
        {
            "NoSuchBucket" => of("StoreNotFound", ErrorKind.NotFound, $"There is no bucket {settings.Bucket} at {settings.Endpoint?.Authority ?? settings.Region ?? "Amazon S3"}.", "Make it, private and with versioning, or correct the name, the region or the endpoint."),
            "NoSuchKey" or "NotFound" => of("BackupNotFound", ErrorKind.NotFound, $"There is no backup {target}.", "List what is there with Get-MoltBackup."),
            "InvalidAccessKeyId" or "SignatureDoesNotMatch" or "InvalidClientTokenId" or "UnrecognizedClientException"
                => of("StoreCredentialsInvalid", ErrorKind.AuthenticationFailed, $"{store} does not accept the credentials ({e.ErrorCode}).", "Check key and secret, and whether they belong to this endpoint."),
            "ExpiredToken" or "ExpiredTokenException" or "TokenRefreshRequired" or "InvalidToken"
                => of("StoreCredentialsExpired", ErrorKind.AuthenticationFailed, $"The credentials for {store} have expired ({e.ErrorCode}).", "Renew them (aws sso login, a new session token), then run the command again."),
            "RequestTimeTooSkewed" => of("StoreClockSkew", ErrorKind.AuthenticationFailed, $"{store} refuses requests because this machine's clock is wrong by more than 15 minutes.", "Set the clock (timedatectl set-ntp true)."),
            "PermanentRedirect" or "TemporaryRedirect" or "AuthorizationHeaderMalformed" or "IllegalLocationConstraintException"
                => of("StoreWrongRegion", ErrorKind.InvalidData, $"{store} is in another region than {settings.Region ?? "the one configured"} ({e.ErrorCode}{why}).", "Give its region: region=… in the store's URI or plan, or AWS_REGION."),
            "QuotaExceeded" or "XMinioStorageFull" or "InsufficientStorage" or "StorageFull" or "EntityTooLarge"
                => of("StoreFull", ErrorKind.ResourceFull, $"There is no space left in {store} ({e.ErrorCode}).", "Raise the quota or remove old backups (Remove-MoltBackup -Expired)."),
            "InvalidObjectState" => of("StoreArchived", ErrorKind.NotSupported, $"{target} lies in a storage class that cannot be read at once.", "Have the service bring it back first (aws s3api restore-object), or use another copy."),
            "PreconditionFailed" or "ConditionalRequestConflict" => of("BackupExists", ErrorKind.AlreadyExists, $"{target} is there already.", "Nothing is overwritten. Try again a second later."),
            "SlowDown" or "ServiceUnavailable" or "InternalError" or "RequestTimeout" => Unavailable(),
            _ => e.StatusCode switch
            {
                HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized
                    => of("StoreDenied", ErrorKind.PermissionDenied, $"{store} refuses this user ({e.ErrorCode ?? "403"}{why}).", "The policy must allow s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload there, and the key of its encryption. Some services say the same of a wrong access key."),
                HttpStatusCode.NotFound => of("BackupNotFound", ErrorKind.NotFound, $"There is no backup {target}.", "List what is there with Get-MoltBackup."),
                HttpStatusCode.InsufficientStorage => of("StoreFull", ErrorKind.ResourceFull, $"There is no space left in {store}.", "Raise the quota or remove old backups (Remove-MoltBackup -Expired)."),
                HttpStatusCode.PreconditionFailed => of("BackupExists", ErrorKind.AlreadyExists, $"{target} is there already.", "Nothing is overwritten. Try again a second later."),
                >= HttpStatusCode.InternalServerError => Unavailable(),
                _ => of("StoreFailed", ErrorKind.Failed, $"{store} refuses a request ({e.ErrorCode ?? ((int)e.StatusCode).ToString(CultureInfo.InvariantCulture)}{why}).", "See what the service's documentation says of that code; often it does not know the storage class, the key or the lock that the store's settings ask for."),
            },
        };

        MoltException Unavailable() => of("StoreUnavailable", ErrorKind.Busy, $"{store} answers, but cannot do its work now ({e.ErrorCode}).", "Try again later; a failed copy can be made with Copy-MoltBackup.");
    }

    /// <summary>It or the nearest of its causes that is of this type; null when none is.</summary>
    private static T? Within<T>(Exception? e)
        where T : Exception => e is null or T ? e as T : Within<T>(e.InnerException);

    /// <summary>Two services may have a bucket of one name each.</summary>
    private static string Shown(StoreSettings settings) => settings.Endpoint is null ? settings.Location : $"{settings.Location} at {settings.Endpoint.Authority}";

    private static string Innermost(Exception e)
    {
        while (e is not OperationCanceledException && e.InnerException is { } inner and not OperationCanceledException)
        {
            e = inner;
        }

        return e is OperationCanceledException ? "no answer in time" : e.Message;
    }
}
