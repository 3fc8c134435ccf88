using System.Globalization;
using System.Text;
using Vmcore.Kernel.Identity;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Machines;

public sealed class MachineReaderTests
{
    [Fact]
    public void ReadsTheStockMachine()
    {
        using TestTree tree = TestTree.Stock();
        Machine machine = MachineReader.Read(tree.Root);
        Assert.False(machine.IsLive);
        Assert.Equal([new PhysicalRange(0x4000000, 0x10000000)], machine.Iomem.CrashRegions);
        Assert.Equal(new PhysicalRange(0x13728000, 0x13728000 + 0x1024), machine.VmcoreInfo);
        Assert.Equal([new PhysicalRange(0x2a14c00, 0x2a14c00 + 368), new PhysicalRange(0x2b14c00, 0x2b14c00 + 368)], machine.CpuNotes);
        Assert.Equal(0xffff897a80000000, machine.PageOffset);
        Assert.Equal(new KernelText(new(0x10a00000, 0x10a00000 + 0x2c30000), 0xffffffffaa200000), machine.KernelText);
        Assert.Equal([new PfnRange(0x100000, 0x11be00)], machine.Pmem);
        Assert.False(machine.KernelAddsPmem);
        Assert.False(machine.IsCrashKernelLoaded);
        Assert.Null(machine.LoadLimit);
    }

    [Fact]
    public void WithoutSymbolsTheTextComesFromKcore()
    {
        using TestTree tree = TestTree.Stock().File("/proc/kallsyms", "0000000000000000 T _text\n");
        Assert.Equal(new KernelText(new(0x10a00000, 0x10a00000 + 0x2c30000), 0xffffffffaa200000), MachineReader.Read(tree.Root).KernelText);
    }

    [Fact]
    public void WithoutEndTheTextStopsWithBss()
    {
        using TestTree tree = TestTree.Stock().File("/proc/kallsyms", "ffffffffaa200000 T _text\n").Delete("/proc/kcore");
        Assert.Equal(new KernelText(new(0x10a00000, 0x13600000), 0xffffffffaa200000), MachineReader.Read(tree.Root).KernelText);
    }

    [Fact]
    public void WithoutKcoreTheTextComesFromTheSymbols()
    {
        using TestTree tree = TestTree.Stock().Delete("/proc/kcore");
        KernelText expected = new(new(0x10a00000, 0x10a00000 + 0x2c30000), 0xffffffffaa200000);
        Assert.Equal(expected, MachineReader.Read(tree.Root).KernelText);
        // Many lines, of which some only look alike, a symbol of a module, and one line across two blocks.
        var lines = new StringBuilder();
        for (int i = 0; i < 20_000; i++)
            lines.Append(CultureInfo.InvariantCulture, $"ffffffffa{i:x7} t not_text\n");
        lines.Append("ffffffffaa200000 T _text\nffffffffc0000000 t _end\t[module]\nffffffffc0000000 t x_end\nffffffffc0000000 t _endless\nfffffffface30000 B _end\n");
        tree.File("/proc/kallsyms", lines.ToString());
        Assert.Equal(expected, MachineReader.Read(tree.Root).KernelText);
        tree.File("/proc/kallsyms", new string('x', 200_000) + "\nffffffffaa200000 T _text\nfffffffface30000 B _end\n");
        Assert.Equal(expected, MachineReader.Read(tree.Root).KernelText);
    }

    [Fact]
    public void SymbolsAreReadOnlyForWhatKcoreDoesNotTell()
    {
        using TestTree tree = TestTree.Rfc();
        Assert.True(MachineReader.Read(tree.Root).KernelAddsPmem);
        byte[] kcore = [.. File.ReadAllBytes(tree.Root + "/proc/kcore"), .. "VMCOREINFO\0OSRELEASE=6.1\nPAGESIZE=4096\nSIZE(page)=64\n"u8];
        tree.Bytes("/proc/kcore", kcore);
        Machine machine = MachineReader.Read(tree.Root);
        Assert.False(machine.KernelAddsPmem);
        Assert.Equal(64, machine.StructPageSize);
        tree.Bytes("/proc/kcore", [.. kcore, .. "SYMBOL(devm_memmap_vmcore_head)=ffffffff83e12340\n"u8]);
        Assert.True(MachineReader.Read(tree.Root).KernelAddsPmem);
    }

    [Fact]
    public void HiddenAddressesAreRefused()
    {
        using var tree = new TestTree();
        tree.File("/proc/iomem", "00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n  00000000-00000000 : Crash kernel\n");
        KexecException e = Assert.Throws<KexecException>(() => MachineReader.Read(tree.Root));
        Assert.Contains("root", e.Message, StringComparison.Ordinal);
        Assert.Equal(1, e.ExitStatus);
    }

    [Fact]
    public void NoIomemIsRefused()
    {
        using var tree = new TestTree();
        Assert.Throws<KexecException>(() => MachineReader.Read(tree.Root));
    }

    [Fact]
    public void LockdownLimitsAndTheKernelsListAreSeen()
    {
        using TestTree tree = TestTree.Rfc()
            .File("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
            .File("/proc/sys/kernel/kexec_load_disabled", "1\n")
            .File("/proc/sys/kernel/kexec_load_limit_panic", "0\n")
            .File("/sys/kernel/crash_elfcorehdr_size", "921600\n")
            .File("/sys/hypervisor/type", "xen\n");
        Machine machine = MachineReader.Read(tree.Root);
        Assert.Equal("integrity", machine.Lockdown);
        Assert.True(machine.IsLoadDisabled);
        Assert.Equal(0, machine.LoadLimit);
        Assert.Equal(921600ul, machine.CrashElfcorehdrSize);
        Assert.True(machine.IsXen);
        Assert.True(machine.KernelAddsPmem);
    }

    [Fact]
    public void RsdpComesFromBootParamsOrFromTheEfiTable()
    {
        byte[] bootParams = new byte[4096];
        BitConverter.TryWriteBytes(bootParams.AsSpan(0x70), 0xf59e0ul);
        using TestTree bios = TestTree.Stock().Bytes("/sys/kernel/boot_params/data", bootParams);
        Assert.Equal(0xf59e0ul, MachineReader.Read(bios.Root).AcpiRsdp);
        using TestTree efi = TestTree.Stock().File("/sys/firmware/efi/systab", "MPS=0x1\nACPI=0x7fbfa000\nACPI20=0x7fbfa014\n");
        Machine machine = MachineReader.Read(efi.Root);
        Assert.Equal(0x7fbfa014ul, machine.AcpiRsdp);
        Assert.True(machine.IsEfi);
    }

    [Fact]
    public void CpusThatAreNotThereHaveNoNotesButLaterOnesDo()
    {
        using TestTree tree = TestTree.Stock()
            .Delete("/sys/devices/system/cpu/cpu0/crash_notes")
            .File("/sys/devices/system/cpu/cpu3/crash_notes", "1be00000\n")
            .File("/sys/devices/system/cpu/cpu3/crash_notes_size", "368\n");
        Assert.Equal([0x2b14c00ul, 0x1be00000ul], MachineReader.Read(tree.Root).CpuNotes.Select(static n => n.Start));
    }
}
