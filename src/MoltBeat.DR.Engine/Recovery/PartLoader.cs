using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>Brings rows from the archive into a table.</summary>
internal sealed class PartLoader(ArchiveReader archive, Contents contents)
{
    /// <summary>Loads one part; too few or too many bytes are damage.</summary>
    /// <param name="connection">A pinned session whose client_encoding is the database's.</param>
    /// <param name="table">Its table.</param>
    /// <param name="part">The part.</param>
    /// <param name="frozen">The transaction itself has emptied or made the table.</param>
    /// <param name="progress">Is told when it is in.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task LoadAsync(NpgsqlConnection connection, TableContents table, PartContents part, bool frozen, LoadProgress progress, CancellationToken cancellationToken)
    {
        var left = part.RawBytes;
        try
        {
            var rows = archive.OpenCompressed(archive.Member(part.Member));
            await using (rows.ConfigureAwait(false))
            {
                await CopyIn.SendAsync(connection, CopySql.In(table.Schema, table.Name, table.Columns, table.Format, contents.Database.Encoding, frozen), table.Format, rows, sent =>
                {
                    if ((left -= sent) < 0)
                    {
                        throw ArchiveReader.Damaged(archive.Location, $"{part.Member} holds more than the {part.RawBytes} bytes that the contents give");
                    }
                }, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is ZstdException or EndOfStreamException)
        {
            throw ArchiveReader.Damaged(archive.Location, $"{part.Member} does not decompress", e);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Loading {table.QuotedName} from {part.Member}", table.QuotedName) is { } translated)
        {
            throw translated;
        }

        if (left != 0)
        {
            throw ArchiveReader.Damaged(archive.Location, $"{part.Member} holds fewer than the {part.RawBytes} bytes that the contents give");
        }

        progress.Add(part);
    }
}
