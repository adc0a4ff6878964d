using System.Globalization;
using Amazon.Runtime;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>What a question about a bucket can end in when the store, and not we, is at fault.</summary>
internal static class S3Trouble
{
    public static bool Is(Exception e, CancellationToken cancellationToken)
        => e is AmazonServiceException or AmazonClientException or HttpRequestException or IOException or TimeoutException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    /// <summary>The store's own words, with its code.</summary>
    public static string Text(Exception e) => e is AmazonServiceException { ErrorCode.Length: > 0 } service
        ? string.Create(CultureInfo.InvariantCulture, $"{service.ErrorCode} ({(int)service.StatusCode}): {service.Message}")
        : e.Message;
}
