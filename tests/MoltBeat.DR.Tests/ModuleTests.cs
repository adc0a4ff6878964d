using System.Collections;
using System.Management.Automation;
using System.Reflection;
using Xunit;

namespace MoltBeat.DR.Tests;

public sealed class ModuleTests : IDisposable
{
    private static readonly string[] Commands =
    [
        "Compare-MoltBackup",
        "Copy-MoltBackup",
        "Export-MoltBackup",
        "Export-MoltRecoveryKit",
        "Find-MoltRow",
        "Get-MoltAudit",
        "Get-MoltBackup",
        "Get-MoltKey",
        "Get-MoltPlan",
        "Get-MoltSchedule",
        "Invoke-MoltJob",
        "Invoke-MoltRecovery",
        "New-MoltBackup",
        "New-MoltPlan",
        "Protect-MoltBackup",
        "Register-MoltSchedule",
        "Remove-MoltBackup",
        "Remove-MoltPreviousDatabase",
        "Restore-MoltBackup",
        "Restore-MoltRow",
        "Send-MoltAlert",
        "Set-MoltBackup",
        "Test-MoltAlert",
        "Test-MoltAudit",
        "Test-MoltBackup",
        "Test-MoltKey",
        "Test-MoltPlan",
        "Test-MoltRestore",
        "Test-MoltStore",
        "Undo-MoltRestore",
        "Unregister-MoltSchedule",
    ];

    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Fact]
    public void The_manifest_names_exactly_our_commands()
    {
        var manifest = (Hashtable)Assert.Single(_module.Run(
            "param($Path) [System.Management.Automation.Language.Parser]::ParseFile($Path, [ref]$null, [ref]$null).EndBlock.Statements[0].PipelineElements[0].Expression.SafeGetValue()",
            ("Path", Staged.Manifest)).ThrowIfFailed().Values);
        Assert.Equal(Commands, ((object[])manifest["CmdletsToExport"]!).Cast<string>().Order());
        foreach (var other in new[] { "FunctionsToExport", "AliasesToExport", "VariablesToExport" })
        {
            Assert.Empty((object[])manifest[other]!);
        }
    }

    [Fact]
    public void The_manifest_hides_no_cmdlet_and_promises_none_that_is_missing()
    {
        var cmdlets = CmdletAssembly().GetExportedTypes()
            .Select(t => t.GetCustomAttribute<CmdletAttribute>()).OfType<CmdletAttribute>()
            .Select(a => a.VerbName + "-" + a.NounName).Order().ToList();
        Assert.Equal(Commands, cmdlets);
        Assert.Equal(
            Commands, _module.Run("(Get-Module MoltBeat.DR).ExportedCommands.Keys").ThrowIfFailed().Values.Cast<string>().Order());
    }

    [Fact]
    public void The_module_folder_holds_exactly_what_is_meant_to_be_shipped()
    {
        var files = Directory.EnumerateFiles(Staged.ModuleFolder, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Staged.ModuleFolder, f).Replace('\\', '/'))
            .Where(f => !f.StartsWith("en-US/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
        Assert.Equal(
            [
                "MoltBeat.DR.Format.ps1xml",
                "MoltBeat.DR.Loader.dll",
                "MoltBeat.DR.psd1",
                "dependencies/AWSSDK.Core.dll",
                "dependencies/AWSSDK.S3.dll",
                "dependencies/AWSSDK.SecurityToken.dll",
                "dependencies/BouncyCastle.Cryptography.dll",
                "dependencies/Cronos.dll",
                "dependencies/MailKit.dll",
                "dependencies/Microsoft.Extensions.DependencyInjection.Abstractions.dll",
                "dependencies/Microsoft.Extensions.Logging.Abstractions.dll",
                "dependencies/MimeKit.dll",
                "dependencies/MoltBeat.DR.Engine.dll",
                "dependencies/MoltBeat.DR.dll",
                "dependencies/Npgsql.dll",
                "dependencies/System.IO.Hashing.dll",
                "dependencies/System.Security.Cryptography.Pkcs.dll",
                "dependencies/ZstdSharp.dll",
                "plan.schema.json",
            ],
            files);
    }

    [Fact]
    public void The_public_surface_shows_only_our_own_types_and_PowerShells()
    {
        const BindingFlags Declared =
            BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        var shown =
            from type in CmdletAssembly().GetExportedTypes()
            from used in type.GetInterfaces()
                .Append(type.BaseType ?? typeof(object))
                .Concat(type.GetFields(Declared).Where(f => f.IsPublic || f.IsFamily || f.IsFamilyOrAssembly).Select(f => f.FieldType))
                .Concat(type.GetMethods(Declared).Where(IsVisible).SelectMany(m => m.GetParameters().Select(p => p.ParameterType).Append(m.ReturnType)))
                .Concat(type.GetConstructors(Declared).Where(IsVisible).SelectMany(c => c.GetParameters().Select(p => p.ParameterType)))
            from part in Parts(used)
            let assembly = part.Assembly.GetName().Name!
            where !assembly.StartsWith("MoltBeat.DR", StringComparison.Ordinal)
                && assembly != "System.Management.Automation"
                && Path.GetDirectoryName(part.Assembly.Location) != Path.GetDirectoryName(typeof(object).Assembly.Location)
            select $"{type.Name} shows {part.FullName} of {assembly}";
        Assert.Empty(shown);
        Assert.Contains("MoltCommand", CmdletAssembly().GetExportedTypes().Select(t => t.Name));

        static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

        static IEnumerable<Type> Parts(Type type) =>
            type.HasElementType ? Parts(type.GetElementType()!)
            : type.IsGenericParameter ? []
            : type.GetGenericArguments().SelectMany(Parts).Append(type);
    }

    private Assembly CmdletAssembly() =>
        (Assembly)Assert.Single(_module.Run("(Get-Module MoltBeat.DR).ImplementingAssembly").ThrowIfFailed().Values);
}
