using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using Vmcore.Testing;

namespace Vmcore.Cli.Tests;

/// <summary>The tools stand on the library's public API as any program does. What they use besides is listed in docs/design.md, each with its reason.</summary>
public sealed partial class InternalsTests
{
    private const BindingFlags Everything = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;

    [Theory]
    [InlineData("Vmcore.Cli")]
    [InlineData("Vmcore.Kexec")]
    [InlineData("Vmcore.Kdump")]
    public void InternalsInUseAreThoseOfTheList(string tool)
    {
        string[] used = [.. Used(Path.Combine(AppContext.BaseDirectory, tool + ".dll")).Order(StringComparer.Ordinal)];
        string[] listed = [.. Row().Matches(File.ReadAllText(Path.Combine(SourceTree.Root, "docs", "design.md")))
            .Where(r => r.Groups["tools"].Value.Split(", ").Contains(tool))
            .Select(static r => "Vmcore." + r.Groups["what"].Value).Order(StringComparer.Ordinal)];
        Assert.Equal(listed, used);
        Assert.NotEmpty(used);
    }

    /// <summary>It would be a seventh of the executable (src/Vmcore/Sequences/Enumerable.cs).</summary>
    [Theory]
    [InlineData("Vmcore")]
    [InlineData("Vmcore.Kexec")]
    [InlineData("Vmcore.Kdump")]
    [InlineData("Vmcore.Cli")]
    public void NothingNeedsSystemLinq(string assembly)
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly + ".dll")));
        MetadataReader reader = file.GetMetadataReader();
        string[] needed = [.. reader.AssemblyReferences.Select(r => reader.GetString(reader.GetAssemblyReference(r).Name))];
        Assert.Contains("System.Runtime", needed);
        Assert.DoesNotContain("System.Linq", needed);
    }

    private static HashSet<string> Used(string path)
    {
        using var file = new PEReader(File.OpenRead(path));
        MetadataReader reader = file.GetMetadataReader();
        Assembly library = typeof(CrashDump).Assembly;
        var found = new HashSet<string>(StringComparer.Ordinal);
        int types = 0;
        foreach (TypeReferenceHandle handle in reader.TypeReferences)
        {
            if (TypeOf(reader, handle, library) is not { } type)
                continue;
            types++;
            if (!type.IsVisible)
                found.Add(type.Namespace == "Vmcore.Sequences" ? type.Namespace : type.FullName!);
        }

        foreach (MemberReferenceHandle handle in reader.MemberReferences)
        {
            MemberReference member = reader.GetMemberReference(handle);
            if (member.Parent.Kind != HandleKind.TypeReference || TypeOf(reader, (TypeReferenceHandle)member.Parent, library) is not { IsVisible: true } type)
                continue;
            string name = reader.GetString(member.Name);
            if (!IsPublic(type, name, ParameterCount(reader, member)))
                found.Add($"{type.FullName}.{name}");
        }

        Assert.True(types > 5, $"{path} hardly uses the library");
        return found;
    }

    private static Type? TypeOf(MetadataReader reader, TypeReferenceHandle handle, Assembly library)
    {
        TypeReference type = reader.GetTypeReference(handle);
        string name = reader.GetString(type.Name);
        return type.ResolutionScope.Kind switch
        {
            HandleKind.TypeReference => TypeOf(reader, (TypeReferenceHandle)type.ResolutionScope, library)?.GetNestedType(name, Everything),
            HandleKind.AssemblyReference when reader.GetString(reader.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name) == "Vmcore" =>
                library.GetType($"{reader.GetString(type.Namespace)}.{name}", throwOnError: true),
            _ => null,
        };
    }

    /// <summary>How many parameters a method has; −1 for a field.</summary>
    private static int ParameterCount(MetadataReader reader, MemberReference member)
    {
        BlobReader signature = reader.GetBlobReader(member.Signature);
        SignatureHeader header = signature.ReadSignatureHeader();
        if (header.Kind == SignatureKind.Field)
            return -1;
        if (header.IsGeneric)
            signature.ReadCompressedInteger();
        return signature.ReadCompressedInteger();
    }

    private static bool IsPublic(Type type, string name, int parameters)
    {
        for (Type? at = type; at is not null; at = at.BaseType)
        {
            foreach (MemberInfo member in at.GetMember(name, Everything | BindingFlags.DeclaredOnly))
            {
                if (member is FieldInfo field && parameters < 0)
                    return field.IsPublic;
                if (member is MethodBase method && method.GetParameters().Length == parameters && (method.IsPublic || method.IsFamily))
                    return true;
            }
        }

        return false;
    }

    // | `IO.FileIdentity` | Vmcore.Cli, Vmcore.Kexec | why |
    [GeneratedRegex(@"^\| `(?<what>[\w.+]+)` \| (?<tools>Vmcore\.\w+(?:, Vmcore\.\w+)*) \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
