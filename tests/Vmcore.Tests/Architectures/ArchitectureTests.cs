using System.Text;
using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.Memory;
using Vmcore.Opening;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;

namespace Vmcore.Tests.Architectures;

/// <summary>Of which architecture a dump is: what is not read is refused by its name, and never taken for another.</summary>
public sealed class ArchitectureTests
{
    private const int MachineOffset = 272;

    private static readonly CoreImage s_core = new SyntheticMachine(new() { Era = KernelEra.V6_12 }).AddRam(0x100000, 63 << 20).Core();

    public static TheoryData<string> NotRead => [.. Foreign.Where(n => Architecture.Of(ElfMachine.None, n) is null)];

    private static string[] Foreign =>
        ["ppc64le", "s390x", "ppc64", "s390", "loongarch64", "i686", "mips64", "sparc64", "armv7l", "riscv32", "aarch64_be", "riscv64", "aarch64"];

    [Theory]
    [MemberData(nameof(NotRead))]
    public void AKdumpHeaderThatNamesAnotherArchitectureIsRefusedByName(string name)
    {
        byte[] bytes = Named(name);
        DumpFormatException error = Assert.Throws<DumpFormatException>(() => CrashDump.Open(new KdumpBytes(bytes, "foreign")));
        Assert.Equal(MachineOffset, error.Offset);
        Assert.Contains($"{name}, an architecture that is not read", error.Message, StringComparison.Ordinal);
        Assert.Contains("x86_64", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A header whose name was lost: vmcoreinfo has keys that kernels of one architecture alone export.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("?!?")]
    public void WithoutANameVmcoreinfoDecides(string name)
    {
        using CrashDump dump = CrashDump.Open(new KdumpBytes(Named(name), "nameless"));
        Assert.Equal("x86_64", dump.Architecture.Name);
        Assert.True(dump.Kernel!.IsVerified);
    }

    /// <summary>Neither a name nor a proof: refused, not guessed.</summary>
    [Fact]
    public void WithoutANameAndAProofADumpIsRefused()
    {
        byte[] bytes = Named("");
        byte[] key = Encoding.ASCII.GetBytes("phys_base");
        foreach (string proof in (string[])["(phys_base)", "(init_top_pgt)", "(pgtable_l5_enabled)"])
        {
            int at = bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes(proof));
            Assert.True(at > 0 && key.Length > 0);
            bytes[at + 1] = (byte)'x';
        }

        DumpFormatException error = Assert.Throws<DumpFormatException>(() => CrashDump.Open(new KdumpBytes(bytes, "nameless")));
        Assert.Contains("no name", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ElfMachine.I386)]
    [InlineData(ElfMachine.Ppc64)]
    [InlineData(ElfMachine.S390)]
    [InlineData(ElfMachine.LoongArch)]
    [InlineData((ElfMachine)9999)]
    public void AnElfFileOfAnotherMachineIsRefusedByName(ElfMachine machine)
    {
        byte[] bytes = Elf(machine);
        DumpFormatException error = Assert.Throws<DumpFormatException>(() => CrashDump.Open(new KdumpBytes(bytes, "foreign")));
        Assert.Equal(18, error.Offset);
        Assert.Contains($"{(int)machine}", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A header and vmcoreinfo that contradict each other: one of them lies, and either answer could be wrong.</summary>
    /// <summary>Struct pages, values and headers are read as little-endian without asking: whoever adds an architecture that is not has to go through
    /// them first (docs/design.md, Byte order). Until then such a file is refused at its header, before anything of it is believed.</summary>
    [Fact]
    public void ABigEndianMachineIsRefused()
    {
        Assert.All(Architecture.All, static a => Assert.Equal(ByteOrder.LittleEndian, a.ByteOrder));
        byte[] bytes = Elf((ElfMachine)22);
        bytes[5] = 2;
        bytes.AsSpan(16, 2).Reverse();
        bytes.AsSpan(18, 2).Reverse();
        DumpFormatException refused = Assert.Throws<DumpFormatException>(() => CrashDump.Open(new KdumpBytes(bytes, "s390x")));
        Assert.Contains("byte order", refused.Message, StringComparison.Ordinal);
        refused = Assert.Throws<DumpFormatException>(
            () => MachineChoice.RequireLittleEndian("vmcore", 18, "ELF header e_machine", "s390x", ByteOrder.BigEndian));
        Assert.Contains("big-endian", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AHeaderThatVmcoreinfoContradictsIsRefused()
    {
        foreach (Architecture other in Architecture.All.Where(a => a.Name != "x86_64"))
        {
            Assert.Throws<DumpFormatException>(() => CrashDump.Open(new KdumpBytes(Named(other.Name), "lie")));
            Assert.Throws<DumpFormatException>(() => CrashDump.Open(new KdumpBytes(Elf(other.Machine), "lie")));
        }
    }

    /// <summary>libkdumpfile and drgn refuse a header whose machine or version is empty.</summary>
    [Fact]
    public void AWrittenHeaderHasNoEmptyMachineOrVersion()
    {
        byte[] bytes = Named("");
        bytes.AsSpan(12 + (3 * 65), 65).Clear();

        // The kernel's names cannot be read either.
        int at = bytes.AsSpan().IndexOf("SYMBOL(init_uts_ns)"u8);
        bytes[at] = (byte)'x';
        using CrashDump dump = CrashDump.Open(new KdumpBytes(bytes, "nameless"));
        Assert.Null(dump.Kernel!.Utsname);
        using var written = WrittenDump.Of(dump, new() { Threads = 1 }).OpenKdump();
        Assert.Equal("x86_64", written.Header.Utsname.Machine);
        Assert.NotEqual("", written.Header.Utsname.Version);
    }

    private static byte[] Named(string name)
    {
        byte[] bytes = [.. WrittenDump.Of(s_core, 0).Bytes];
        bytes.AsSpan(MachineOffset, 65).Clear();
        Encoding.ASCII.GetBytes(name).CopyTo(bytes, MachineOffset);
        return bytes;
    }

    private static byte[] Elf(ElfMachine machine)
    {
        byte[] bytes = new byte[s_core.Length];
        s_core.Read(0, bytes);
        BitConverter.TryWriteBytes(bytes.AsSpan(18), (ushort)machine);
        return bytes;
    }
}
