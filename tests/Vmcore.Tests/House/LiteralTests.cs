using System.Text.RegularExpressions;

namespace Vmcore.Tests.House;

/// <summary>
/// What one architecture is like stands in <c>Architectures</c> and in the loader's <c>Platforms</c> only. Comments may name an architecture as an example.
/// </summary>
public sealed partial class LiteralTests
{
    /// <summary>Files in which such a thing is a fact of a format or of the project itself, and why.</summary>
    private static readonly Dictionary<string, string> s_allowed = new(StringComparer.Ordinal)
    {
        ["src/Vmcore/Formats/Elf/ElfConstants.cs"] = "the numbers that ELF gives to machines",
        ["src/Vmcore/Debugging/DebugSection.cs"] = "the numbers that each machine's ELF supplement gives to relocations",
        ["src/Vmcore/Kernel/Types/WellKnownVariables.cs"] = "names of the kernel's variables and types, looked up in its own types",
        ["src/Vmcore.Cli/Kexec/KexecHelp.cs"] = "the help says which file and option each machine takes",
        ["src/Vmcore.Cli/Code/Decoders.cs"] = "which library decodes the code of which machine",
        ["src/Vmcore/Pmem/InfoBlock.cs"] = "struct nd_pfn_sb is 4 KiB, at 4 KiB, on every machine",
        ["src/Vmcore/Pmem/NamespaceBuilder.cs"] = "an info block lies 4 KiB into its namespace on every machine",
        ["src/Vmcore/Formats/Kdump/KdumpHeader.cs"] = "block sizes that the format allows",
    };

    private static IEnumerable<SourceFile> Elsewhere => SourceFile.Shipped.Where(static f =>
        !f.Path.StartsWith("src/Vmcore/Architectures/", StringComparison.Ordinal)
        && !f.Path.StartsWith("src/Vmcore.Kexec/Platforms/", StringComparison.Ordinal)
        && !s_allowed.ContainsKey(f.Path));

    [Fact]
    public void NoArchitectureIsNamed() =>
        Check("name", ArchitectureName(), static f => f.WithStrings, "Ask the dump's Architecture instead of naming one (docs/design.md, Architectures):");

    [Fact]
    public void NoAddressOfOneKernelMapIsTyped() =>
        Check("address", KernelAddress(), static f => f.Code.Replace("_", "", StringComparison.Ordinal),
            "Where the kernel's image, its direct map and its half of the addresses lie is the Architecture's to say:");

    [Fact]
    public void WhatAPointerOfTheKernelIsIsAsked() =>
        Check("pointer", PointerTest(), static f => f.Code,
            "Ask IVirtualMemory.IsKernelAddress; on other machines the kernel's pointers do not start with ones:");

    /// <summary>
    /// 4096 as a count, a limit or a buffer's size is a number like any other; as a mask, a factor, a shift or a default of a size it is a page.
    /// </summary>
    [Fact]
    public void NoPageIsTakenFor4096Bytes() =>
        Check("page", PageOf4096(), static f => f.Code, "The size of a page is the dump's (PageSize, PageShift); name a bound that only happens to be 4096:");

    [Fact]
    public void WhatIsAllowedIsThere()
    {
        foreach (string path in s_allowed.Keys)
            Assert.True(SourceFile.All.Any(f => f.Path == path), $"{path} is gone: take it out of the list of {nameof(LiteralTests)}");
    }

    private static void Check(string rule, Regex pattern, Func<SourceFile, string> text, string advice) =>
        KnownViolations.Check(rule, Elsewhere.SelectMany(f => Hits(f, text(f), pattern)), advice);

    private static IEnumerable<(string What, string Where)> Hits(SourceFile file, string text, Regex pattern)
    {
        foreach (Match match in pattern.Matches(text))
        {
            int line = text.AsSpan(0, match.Index).Count('\n');
            yield return (file.Path, $"{file.Path}:{line + 1}: {file.Text.Split('\n')[line].Trim()}");
        }
    }

    [GeneratedRegex(@"(?i)x86|amd64|aarch64|arm64|riscv|s390|ppc64|loongarch")]
    private static partial Regex ArchitectureName();

    [GeneratedRegex(@"(?i)0xffffffff[8ac]0000000|0xffff8[08]{2}0{9}|0xffff[89c][0-9a-f]0000000000|0xff0{14}|-0x80000000\b|18446744071562067968")]
    private static partial Regex KernelAddress();

    [GeneratedRegex(@">>>? ?(?:47|56)\b(?! ?& ?0x?f)|KernelHalf")]
    private static partial Regex PointerTest();

    [GeneratedRegex(@"(?x)
        (?: [*/%&] | <<\x20?  )\x20? ~? (?: 4096 | 4095 | 0x1000 | 0xf_?ff )(?:ul|u|l)?\b
        | \b(?: 4096 | 4095 | 0x1000 )(?:ul|u|l)?\x20[*&-](?!&)
        | (?: \?\? | \x20: | [+-] )\x20 (?: 4096 | 0x1000 )(?:ul|u|l)?\b
        | \bPage\w*\x20=\x20(?: 4096 | 0x1000 )\b
        | (?: << | >> )\x20? 12\b", RegexOptions.IgnoreCase)]
    private static partial Regex PageOf4096();
}
