using System.Text;

namespace MoltBeat.TestServers;

/// <summary>An answer in S3's form.</summary>
/// <param name="Status">The HTTP status, such as 503.</param>
/// <param name="Code">S3's error code, such as <c>SlowDown</c>; an answer without a body when null.</param>
/// <param name="Message">S3's error message.</param>
/// <param name="Headers">Further headers, such as <c>Retry-After: 1</c>.</param>
public sealed record FaultAnswer(int Status, string? Code = null, string Message = "Injected.", params string[] Headers)
{
    /// <summary>In place of S3's error document.</summary>
    public string? Body { get; init; }

    internal byte[] ToBytes(ProxiedRequest request, bool close)
    {
        var body = Body is not null
            ? Body
            : Code is null
            ? ""
            : $"""<?xml version="1.0" encoding="UTF-8"?><Error><Code>{Code}</Code><Message>{Message}</Message><RequestId>injected</RequestId></Error>""";
        var head = new StringBuilder($"HTTP/1.1 {Status} Injected\r\nContent-Type: application/xml\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n");
        head.Append("Date: ").Append(DateTimeOffset.UtcNow.ToString("r")).Append("\r\nx-amz-request-id: injected\r\n");
        foreach (var header in Headers)
            head.Append(header).Append("\r\n");
        if (close)
            head.Append("Connection: close\r\n");
        // An answer to HEAD says how long its body would be, and has none.
        return Encoding.UTF8.GetBytes(head.Append("\r\n").Append(request.Method == "HEAD" ? "" : body).ToString());
    }
}
