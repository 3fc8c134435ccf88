using System.Globalization;
using System.Text;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Machines;

public sealed class RunningSystemReaderTests
{
    [Fact]
    public void ReadsTheStockMachine()
    {
        using TestTree tree = TestTree.Stock();
        RunningSystem system = RunningSystemReader.Read(tree.Root);
        Assert.False(system.IsLive);
        Assert.Equal([new PhysicalRange(0x4000000, 0x10000000)], system.Iomem.CrashRegions);
        Assert.Equal(new PhysicalRange(0x13728000, 0x13728000 + 0x1024), system.VmcoreInfo);
        Assert.Equal([new PhysicalRange(0x2a14c00, 0x2a14c00 + 368), new PhysicalRange(0x2b14c00, 0x2b14c00 + 368)], system.CpuNotes);
        Assert.Equal(0xffff897a80000000, system.PageOffset);
        Assert.Equal(new KernelTextRange(new(0x10a00000, 0x10a00000 + 0x2c30000), 0xffffffffaa200000), system.KernelText);
        Assert.Equal([new PfnRange(0x100000, 0x11be00)], system.Pmem);
        Assert.False(system.KernelAddsPmem);
        Assert.False(system.IsCrashKernelLoaded);
        Assert.Null(system.LoadLimit);
    }

    [Fact]
    public void WithoutSymbolsTheTextComesFromKcore()
    {
        using TestTree tree = TestTree.Stock().File("/proc/kallsyms", "0000000000000000 T _text\n");
        Assert.Equal(new KernelTextRange(new(0x10a00000, 0x10a00000 + 0x2c30000), 0xffffffffaa200000), RunningSystemReader.Read(tree.Root).KernelText);
    }

    [Fact]
    public void WithoutEndTheTextStopsWithBss()
    {
        using TestTree tree = TestTree.Stock().File("/proc/kallsyms", "ffffffffaa200000 T _text\n").Delete("/proc/kcore");
        Assert.Equal(new KernelTextRange(new(0x10a00000, 0x13600000), 0xffffffffaa200000), RunningSystemReader.Read(tree.Root).KernelText);
    }

    [Fact]
    public void WithoutKcoreTheTextComesFromTheSymbols()
    {
        using TestTree tree = TestTree.Stock().Delete("/proc/kcore");
        KernelTextRange expected = new(new(0x10a00000, 0x10a00000 + 0x2c30000), 0xffffffffaa200000);
        Assert.Equal(expected, RunningSystemReader.Read(tree.Root).KernelText);
        // Many lines, of which some only look alike, a symbol of a module, and one line across two blocks.
        var lines = new StringBuilder();
        for (int i = 0; i < 20_000; i++)
            lines.Append(CultureInfo.InvariantCulture, $"ffffffffa{i:x7} t not_text\n");
        lines.Append("ffffffffaa200000 T _text\nffffffffc0000000 t _end\t[module]\n"
            + "ffffffffc0000000 t x_end\nffffffffc0000000 t _endless\nfffffffface30000 B _end\n");
        tree.File("/proc/kallsyms", lines.ToString());
        Assert.Equal(expected, RunningSystemReader.Read(tree.Root).KernelText);
        tree.File("/proc/kallsyms", new string('x', 200_000) + "\nffffffffaa200000 T _text\nfffffffface30000 B _end\n");
        Assert.Equal(expected, RunningSystemReader.Read(tree.Root).KernelText);
    }

    [Fact]
    public void SymbolsAreReadOnlyForWhatKcoreDoesNotTell()
    {
        using TestTree tree = TestTree.Rfc();
        Assert.True(RunningSystemReader.Read(tree.Root).KernelAddsPmem);
        byte[] kcore = [.. File.ReadAllBytes(tree.Root + "/proc/kcore"), .. "VMCOREINFO\0OSRELEASE=6.1\nPAGESIZE=4096\nSIZE(page)=64\n"u8];
        tree.Bytes("/proc/kcore", kcore);
        RunningSystem system = RunningSystemReader.Read(tree.Root);
        Assert.False(system.KernelAddsPmem);
        Assert.Equal(64, system.StructPageSize);
        tree.Bytes("/proc/kcore", [.. kcore, .. "SYMBOL(devm_memmap_vmcore_head)=ffffffff83e12340\n"u8]);
        Assert.True(RunningSystemReader.Read(tree.Root).KernelAddsPmem);
    }

    [Fact]
    public void HiddenAddressesAreRefused()
    {
        using var tree = new TestTree();
        tree.File("/proc/iomem", "00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n  00000000-00000000 : Crash kernel\n");
        KexecException e = Assert.Throws<KexecException>(() => RunningSystemReader.Read(tree.Root));
        Assert.Contains("root", e.Message, StringComparison.Ordinal);
        Assert.Equal(1, e.ExitStatus);
    }

    [Fact]
    public void NoIomemIsRefused()
    {
        using var tree = new TestTree();
        Assert.Throws<KexecException>(() => RunningSystemReader.Read(tree.Root));
    }

    [Fact]
    public void LockdownLimitsAndTheKernelsListAreSeen()
    {
        using TestTree tree = TestTree.Rfc()
            .File("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
            .File("/proc/sys/kernel/kexec_load_disabled", "1\n")
            .File("/proc/sys/kernel/kexec_load_limit_panic", "0\n")
            .File("/sys/kernel/crash_elfcorehdr_size", "921600\n")
            .File("/sys/hypervisor/type", "xen\n")
            .File("/proc/xen/capabilities", "control_d\n");
        RunningSystem system = RunningSystemReader.Read(tree.Root);
        Assert.Equal("integrity", system.Lockdown);
        Assert.True(system.IsLoadDisabled);
        Assert.Equal(0, system.LoadLimit);
        Assert.Equal(921600ul, system.CrashElfcorehdrSize);
        Assert.True(system.IsXen);
        Assert.True(system.KernelAddsPmem);
    }

    [Fact]
    public void RsdpComesFromBootParamsOrFromTheEfiTable()
    {
        byte[] bootParams = new byte[4096];
        BitConverter.TryWriteBytes(bootParams.AsSpan(0x70), 0xf59e0ul);
        using TestTree bios = TestTree.Stock().Bytes("/sys/kernel/boot_params/data", bootParams);
        Assert.Equal(0xf59e0ul, ((X86Firmware)RunningSystemReader.Read(bios.Root).Firmware).AcpiRsdp);
        using TestTree efi = TestTree.Stock().File("/sys/firmware/efi/systab", "MPS=0x1\nACPI=0x7fbfa000\nACPI20=0x7fbfa014\n");
        var firmware = (X86Firmware)RunningSystemReader.Read(efi.Root).Firmware;
        Assert.Equal(0x7fbfa014ul, firmware.AcpiRsdp);
        Assert.True(firmware.IsEfi);
    }

    [Fact]
    public void CpusThatAreNotThereHaveNoNotesButLaterOnesDo()
    {
        using TestTree tree = TestTree.Stock()
            .Delete("/sys/devices/system/cpu/cpu0/crash_notes")
            .File("/sys/devices/system/cpu/cpu3/crash_notes", "1be00000\n")
            .File("/sys/devices/system/cpu/cpu3/crash_notes_size", "368\n");
        Assert.Equal([0x2b14c00ul, 0x1be00000ul], RunningSystemReader.Read(tree.Root).CpuNotes.Select(static n => n.Start));
    }
}
