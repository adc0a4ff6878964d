using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace MoltBeat.DR.Engine.Tests;

/// <summary>The engine's folders are layers: each uses those before it, never those behind it.</summary>
public partial class ArchitectureTests
{
    private const string Root = "MoltBeat.DR.Engine";

    private static readonly string[] Layers =
    [
        "Plan", "Postgres", "Archive", "Encryption", "Application", "Storage", "Catalog", "Backup", "Verification", "Copying", "Alerting", "Recovery", "Drill", "Operations", "Audit",
    ];

    [Fact]
    public void No_folder_uses_one_behind_it()
    {
        var breaches =
            from file in SourceFiles()
            let layer = LayerOfFile(file)
            where layer >= 0
            from Match match in EngineName().Matches(File.ReadAllText(file))
            let used = match.Groups["layer"].Value
            where Array.IndexOf(Layers, used) > layer
            select $"{Path.GetRelativePath(SourceFolder, file)} uses {used}";
        Assert.Empty(breaches.Distinct());
    }

    [Fact]
    public void Every_folder_is_a_layer_and_every_file_is_in_its_folders_namespace()
    {
        var strays =
            from file in SourceFiles()
            let folder = Path.GetRelativePath(SourceFolder, Path.GetDirectoryName(file)!)
            where folder != "." && (LayerOfFile(file) < 0
                || !File.ReadAllText(file).Contains($"namespace {Root}.{folder.Replace(Path.DirectorySeparatorChar, '.')};", StringComparison.Ordinal))
            select Path.GetRelativePath(SourceFolder, file);
        Assert.Empty(strays);
    }

    // What the text does not show (a type that comes in by inference) shows in a signature.
    [Fact]
    public void No_signature_shows_a_type_of_a_folder_behind()
    {
        const BindingFlags All =
            BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        var breaches =
            from type in Engine.GetTypes()
            let layer = LayerOf(type)
            where layer >= 0
            from used in type.GetFields(All).Select(f => f.FieldType)
                .Concat(type.GetMethods(All).SelectMany(m => m.GetParameters().Select(p => p.ParameterType).Append(m.ReturnType)))
                .Concat(type.GetConstructors(All).SelectMany(c => c.GetParameters().Select(p => p.ParameterType)))
                .SelectMany(Parts)
            where LayerOf(used) > layer
            select $"{type.FullName} uses {used.FullName}";
        Assert.Empty(breaches.Distinct());
    }

    [Fact]
    public void The_engine_knows_nothing_of_PowerShell()
    {
        var references = Engine.GetReferencedAssemblies().Select(a => a.Name!).ToList();
        Assert.Contains("System.Runtime", references);
        Assert.DoesNotContain(references, r =>
            r.StartsWith("System.Management.Automation", StringComparison.Ordinal)
            || r.StartsWith("Microsoft.PowerShell", StringComparison.Ordinal)
            || r == "MoltBeat.DR");
    }

    private static Assembly Engine => typeof(MoltException).Assembly;

    private static string SourceFolder { get; } = typeof(ArchitectureTests).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "EngineSource").Value!;

    private static IEnumerable<string> SourceFiles()
    {
        var files = Directory.GetFiles(SourceFolder, "*.cs", SearchOption.AllDirectories)
            .Where(f => Path.GetRelativePath(SourceFolder, f).Split(Path.DirectorySeparatorChar)[0] is not ("obj" or "bin"))
            .ToList();
        Assert.NotEmpty(files);
        return files;
    }

    private static int LayerOfFile(string file) =>
        Array.IndexOf(Layers, Path.GetRelativePath(SourceFolder, file).Split(Path.DirectorySeparatorChar)[0]);

    private static int LayerOf(Type type) => type.Namespace is { } name && name.StartsWith(Root + ".", StringComparison.Ordinal)
        ? Array.IndexOf(Layers, name[(Root.Length + 1)..].Split('.')[0])
        : -1;

    private static IEnumerable<Type> Parts(Type type) =>
        type.HasElementType ? Parts(type.GetElementType()!)
        : type.IsGenericParameter ? []
        : type.GetGenericArguments().SelectMany(Parts).Append(type);

    [GeneratedRegex(@"\bMoltBeat\.DR\.Engine\.(?<layer>[A-Z]\w*)")]
    private static partial Regex EngineName();
}
