using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Finds the server among those of the settings, in libpq's order and by its rules, and pins it: the sessions and the
/// child programs of one operation share a snapshot, so all of them have to reach the very same server.
/// </summary>
public static class ServerConnector
{
    /// <summary>Opens the first session. The caller disposes of it, and then of the server.</summary>
    /// <exception cref="MoltException">
    /// <c>ServerUnreachable</c>, <c>ServerRoleMismatch</c>, <c>AuthenticationFailed</c>, <c>TlsRefused</c>, <c>TlsFailed</c>,
    /// <c>DatabaseNotFound</c>, <c>ConnectDenied</c>, <c>TooManyConnections</c>, <c>ServerStarting</c>, <c>ConnectionRefused</c>
    /// </exception>
    public static async Task<(NpgsqlConnection Connection, PinnedServer Server)> OpenAsync(
        ConnectionSettings settings, SessionOptions options, CancellationToken cancellationToken)
    {
        ServerAddress[] hosts = [.. settings.Hosts];
        if (settings.SpreadLoad)
            Random.Shared.Shuffle(hosts);

        List<(ServerAddress, string)> failures = [];
        MoltException? last = null;
        bool wrongRole = false;
        // prefer-standby takes any server once none of them has proved to be a standby.
        TargetSession[] wishes = settings.TargetSession == TargetSession.PreferStandby ? [TargetSession.Standby, TargetSession.Any] : [settings.TargetSession];
        foreach (TargetSession wish in wishes)
        {
            failures.Clear();
            foreach (ServerAddress host in hosts)
            {
                IReadOnlyList<ServerAddress> addresses;
                try
                {
                    addresses = await AddressesAsync(host, settings, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception e) when (e is SocketException or TimeoutException)
                {
                    failures.Add((host, ConnectionErrors.Reason(e, settings)));
                    continue;
                }
                foreach (ServerAddress address in addresses)
                {
                    (NpgsqlConnection Connection, PinnedServer Server) opened;
                    try
                    {
                        opened = await OpenAsync(settings, address, options, cancellationToken).ConfigureAwait(false);
                    }
                    catch (MoltException e) when (e.Id is "ServerUnreachable")
                    {
                        failures.Add((address, ConnectionErrors.Reason(e.InnerException!, settings)));
                        last = e;
                        continue;
                    }
                    catch (MoltException e) when (e.Id is "ServerStarting")
                    {
                        failures.Add((address, ((PostgresException)e.InnerException!).MessageText));
                        last = e;
                        break;
                    }
                    string? unfit;
                    try
                    {
                        unfit = await UnfitAsync(opened.Connection, wish, cancellationToken).ConfigureAwait(false);
                    }
                    catch
                    {
                        await CloseAsync(opened).ConfigureAwait(false);
                        throw;
                    }
                    if (unfit is null)
                        return opened;
                    await CloseAsync(opened).ConfigureAwait(false);
                    wrongRole = true;
                    failures.Add((address, unfit));
                    break;
                }
            }
        }

        if (wrongRole)
            throw new MoltException("ServerRoleMismatch", ErrorKind.ConnectionFailed,
                $"No server is what target_session_attrs asks for: {string.Join("; ", failures.Select(failure => $"{failure.Item1}: {failure.Item2}"))}.",
                "Name the right servers, or ask for less.", settings.Describe());
        throw failures.Count == 1 && last is { Id: "ServerStarting" } ? last : ConnectionErrors.Unreachable(settings, failures, last?.InnerException);
    }

    /// <summary>A name may stand for several machines, so one of its addresses is chosen for good.</summary>
    private static async Task<IReadOnlyList<ServerAddress>> AddressesAsync(ServerAddress host, ConnectionSettings settings, CancellationToken cancellationToken)
    {
        if (host.IsUnixSocket || host.Address is not null)
            return [host];
        if (IPAddress.TryParse(host.Host, out _))
            return [host with { Address = host.Host }];

        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (settings.ConnectTimeout is { } wait)
            limit.CancelAfter(wait);
        try
        {
            IPAddress[] found = await Dns.GetHostAddressesAsync(host.Host, limit.Token).ConfigureAwait(false);
            if (settings.SpreadLoad)
                Random.Shared.Shuffle(found);
            return found.Length == 0 ? throw new SocketException((int)SocketError.HostNotFound) : [.. found.Select(address => host with { Address = address.ToString() })];
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException();
        }
    }

    /// <summary>
    /// One address, with and without TLS as sslmode has it. The tries are ours and not Npgsql's: its second error hides the
    /// first, and it doesn't go on without TLS after a handshake that failed.
    /// </summary>
    private static async Task<(NpgsqlConnection, PinnedServer)> OpenAsync(
        ConnectionSettings settings, ServerAddress address, SessionOptions options, CancellationToken cancellationToken)
    {
        bool[] tries = address.IsUnixSocket ? [false] : settings.TlsMode switch
        {
            TlsMode.Disable => [false],
            TlsMode.Allow => [false, true],
            TlsMode.Prefer => [true, false],
            _ => [true],
        };
        MoltException? first = null;
        for (int i = 0; ; i++)
        {
            SessionSource source = new(settings, address, tries[i], options);
            try
            {
                NpgsqlConnection connection = await source.OpenAsync(cancellationToken).ConfigureAwait(false);
                return (connection, new PinnedServer(settings, address, tries[i], connection.PostgreSqlVersion, options, source));
            }
            catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                await source.DisposeAsync().ConfigureAwait(false);
                MoltException error = ConnectionErrors.IsUnreachable(e)
                    ? ConnectionErrors.Unreachable(settings, [(address, ConnectionErrors.Reason(e, settings))], e)
                    : ConnectionErrors.Translate(e, settings, address, source.Tls);
                bool otherMayDo = ConnectionErrors.IsRefusedRole(e) || (tries[i] && (ConnectionErrors.IsTlsNotOffered(e) || ConnectionErrors.IsHandshake(e)));
                if (i + 1 == tries.Length || !otherMayDo)
                    throw first ?? error;
                // "No TLS here" is no news to one who only preferred it; any other first refusal tells more than the second.
                first = ConnectionErrors.IsTlsNotOffered(e) ? null : error;
            }
            catch
            {
                await source.DisposeAsync().ConfigureAwait(false);
                throw;
            }
        }
    }

    /// <summary>Why the server isn't what was wished for; null when it is.</summary>
    private static async Task<string?> UnfitAsync(NpgsqlConnection connection, TargetSession wish, CancellationToken cancellationToken)
    {
        if (wish == TargetSession.Any)
            return null;
        bool standby;
        bool readOnly;
        NpgsqlCommand command = new(
            "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only') = 'on'", connection);
        await using (command.ConfigureAwait(false))
        {
            NpgsqlDataReader row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (row.ConfigureAwait(false))
            {
                await row.ReadAsync(cancellationToken).ConfigureAwait(false);
                standby = row.GetBoolean(0);
                readOnly = standby || row.GetBoolean(1);
            }
        }
        return wish switch
        {
            TargetSession.ReadWrite when readOnly => "it is read-only",
            TargetSession.ReadOnly when !readOnly => "it is not read-only",
            TargetSession.Primary when standby => "it is a standby",
            TargetSession.Standby when !standby => "it is no standby",
            _ => null,
        };
    }

    private static async Task CloseAsync((NpgsqlConnection Connection, PinnedServer Server) opened)
    {
        await opened.Connection.DisposeAsync().ConfigureAwait(false);
        await opened.Server.DisposeAsync().ConfigureAwait(false);
    }
}
