using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Tests.Storage;

/// <summary>The suite of all stores, for a folder.</summary>
public sealed class FolderContractTests : StoreContractTests, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-store-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    protected override Task<IBackupStore> OpenStoreAsync() => Task.FromResult<IBackupStore>(new LocalStore(_folder));

    protected override Task<List<string>> LeftoversAsync(IBackupStore store) =>
        Task.FromResult(Directory.GetFiles(_folder, "*.partial").ToList());
}
