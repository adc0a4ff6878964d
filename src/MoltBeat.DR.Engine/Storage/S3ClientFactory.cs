using System.Diagnostics.CodeAnalysis;
using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.S3;
using MoltBeat.DR.Engine.Plan;
using ChecksumMode = MoltBeat.DR.Engine.Plan.ChecksumMode;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Makes the S3 client of a store. Credentials come from the SDK's own chain; none pass through our hands.</summary>
internal static class S3ClientFactory
{
    /// <summary>Each with a growing wait before it.</summary>
    private const int Retries = 5;

    /// <summary>Whether the store is somebody else's than Amazon's.</summary>
    public static bool IsCustom(StoreSettings settings)
        => settings.Endpoint is not null || Variable("AWS_ENDPOINT_URL_S3") is not null || Variable("AWS_ENDPOINT_URL") is not null;

    /// <summary>Whether checksums are sent only where the protocol wants them.</summary>
    public static bool OnlyRequiredChecksums(StoreSettings settings)
        => settings.Checksums == ChecksumMode.WhenRequired || (settings.Checksums == ChecksumMode.Auto && IsCustom(settings));

    /// <exception cref="MoltException"><c>StoreCredentialsMissing</c> for a profile that is not there, <c>StoreWrongRegion</c> without any region.</exception>
    public static AmazonS3Client Create(StoreSettings settings)
    {
        var custom = IsCustom(settings);
        var required = OnlyRequiredChecksums(settings);
        var config = new AmazonS3Config
        {
            ForcePathStyle = settings.PathStyle ?? custom,
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = Retries,
            HttpClientFactory = new StallLimit(settings.Timeout),
            RequestChecksumCalculation = required ? RequestChecksumCalculation.WHEN_REQUIRED : RequestChecksumCalculation.WHEN_SUPPORTED,
            ResponseChecksumValidation = required ? ResponseChecksumValidation.WHEN_REQUIRED : ResponseChecksumValidation.WHEN_SUPPORTED,
        };
        if (settings.Region is not null)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(settings.Region);
        }

        if (settings.Endpoint is not null)
        {
            config.ServiceURL = settings.Endpoint.ToString();
            config.AuthenticationRegion = settings.Region ?? "us-east-1";
        }

        try
        {
            var credentials = Credentials(settings);
            return credentials is null ? new AmazonS3Client(config) : new AmazonS3Client(credentials, config);
        }
        catch (AmazonClientException e)
        {
            throw S3Errors.Translate(e, settings, null)!;
        }
    }

    /// <summary>Null for the SDK's own chain.</summary>
    [SuppressMessage("Reliability", "CA2000", Justification = "Credentials live as long as the client that uses them.")]
    private static AWSCredentials? Credentials(StoreSettings settings)
    {
        AWSCredentials? credentials = null;
        if (settings.Profile is not null && !new CredentialProfileStoreChain().TryGetAWSCredentials(settings.Profile, out credentials))
        {
            throw new MoltException("StoreCredentialsMissing", ErrorKind.AuthenticationFailed, $"There is no usable profile '{settings.Profile}' for {settings.Location} in the AWS configuration files.",
                "Make it with aws configure --profile, or correct the name.", settings.Location);
        }

        return settings.Role is null ? credentials
            : new AssumeRoleAWSCredentials(credentials ?? Amazon.Runtime.Credentials.DefaultAWSCredentialsIdentityResolver.GetCredentials(), settings.Role, "MoltBeat.DR");
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
