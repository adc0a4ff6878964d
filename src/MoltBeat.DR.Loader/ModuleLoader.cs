using System.Management.Automation;
using System.Reflection;
using System.Runtime.Loader;

namespace MoltBeat.DR.Loader;

/// <summary>
/// Loads the cmdlets and all they depend on in a context of their own, so that another module's Npgsql or AWSSDK.Core,
/// loaded before ours or after it, neither serves us nor is served by us.
/// </summary>
/// <remarks>
/// The manifest lists this assembly as a nested module, which PowerShell imports before the root module. The root module's
/// DLL does not stand beside the manifest: PowerShell then asks for it by name, the default context cannot find it, and
/// we answer. Only our own two names are answered: for others the default context must go on failing as it did before.
/// </remarks>
public sealed class ModuleLoader : IModuleAssemblyInitializer
{
    private static readonly Lock Gate = new();
    private static PrivateContext? s_context;

    /// <summary>Called at each import, so also after -Force, after a removal and in every further runspace.</summary>
    public void OnImport()
    {
        lock (Gate)
        {
            if (s_context is null)
            {
                s_context = new PrivateContext();
                AssemblyLoadContext.Default.Resolving += Resolve;
            }
        }
    }

    private static Assembly? Resolve(AssemblyLoadContext context, AssemblyName name) =>
        name.Name is "MoltBeat.DR" or "MoltBeat.DR.Engine" ? s_context?.LoadOwn(name) : null;

    private sealed class PrivateContext() : AssemblyLoadContext("MoltBeat.DR")
    {
        private readonly string _folder =
            Path.Combine(Path.GetDirectoryName(typeof(ModuleLoader).Assembly.Location)!, "dependencies");

        // Not LoadFromAssemblyName: with the file missing that asks the default context, which asks us, without end.
        public Assembly? LoadOwn(AssemblyName name)
        {
            var path = Path.Combine(_folder, name.Name + ".dll");
            return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
        }

        // What is not in the folder (the runtime, PowerShell itself) is shared: null sends it to the default context.
        protected override Assembly? Load(AssemblyName assemblyName) => LoadOwn(assemblyName);
    }
}
