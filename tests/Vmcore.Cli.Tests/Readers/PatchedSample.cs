using Vmcore.Cli.Tests.Conformance;
using Vmcore.Formats.Elf;
using Vmcore.Memory;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Copies of the bundled crash in which something is not as it was.</summary>
internal static class PatchedSample
{
    private const int Headers = 1 << 16;

    /// <summary>The crash that is bundled.</summary>
    internal static string Original => RealCrash.Get("sample rfc-v2-6.1").Path;

    /// <summary>A copy in which the first occurrence of some bytes in the headers is replaced by others, as many.</summary>
    internal static string WithHeader(TemporaryFolder folder, ReadOnlySpan<byte> what, ReadOnlySpan<byte> by)
    {
        Assert.Equal(what.Length, by.Length);
        string copy = Copy(folder);
        using FileStream file = File.Open(copy, FileMode.Open, FileAccess.ReadWrite);
        byte[] head = new byte[Headers];
        file.ReadExactly(head);
        int at = head.AsSpan().IndexOf(what);
        Assert.True(at > 0);
        by.CopyTo(head.AsSpan(at));
        file.Position = 0;
        file.Write(head);
        return copy;
    }

    /// <summary>A copy in which an expression of the kernel's memory has another value.</summary>
    internal static string WithValue(TemporaryFolder folder, string expression, ulong value) => WithValues(folder, (expression, value));

    /// <summary>A copy in which expressions of the kernel's memory have other values.</summary>
    internal static string WithValues(TemporaryFolder folder, params (string Expression, ulong Value)[] values)
    {
        string copy = Copy(folder);
        foreach ((string expression, ulong value) in values)
        {
            long offset = OffsetOf(copy, expression);
            using FileStream file = File.Open(copy, FileMode.Open, FileAccess.ReadWrite);
            file.Position = offset;
            file.Write(BitConverter.GetBytes(value));
        }

        return copy;
    }

    private static long OffsetOf(string copy, string expression)
    {
        using CrashDump dump = CrashDump.Open(copy);
        ulong address = dump.Evaluate(expression).Address ?? throw new InvalidOperationException($"{expression} is not in memory");
        var at = dump.KernelView.RequireMemory().Translate(address);
        Assert.Equal(MemoryStatus.Ok, at.Status);
        ElfSegment load = dump.Loads.First(l => l.PhysicalAddress <= at.PhysicalAddress && at.PhysicalAddress < l.PhysicalAddress + l.FileSize);
        return (long)(load.Offset + (at.PhysicalAddress - load.PhysicalAddress));
    }

    /// <summary>A copy that can be written to.</summary>
    internal static string Copy(TemporaryFolder folder)
    {
        string copy = folder.File("patched");
        Tool.Succeed("cp", "--sparse=always", Original, copy);
        Tool.Succeed("chmod", "u+rw", copy);
        return copy;
    }
}
