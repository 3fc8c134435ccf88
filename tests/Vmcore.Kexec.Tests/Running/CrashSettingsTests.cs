using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Running;

public sealed class CrashSettingsTests : IDisposable
{
    private readonly TestTree _tree = new();

    public void Dispose() => _tree.Dispose();

    [Theory]
    [InlineData("", "")]
    [InlineData("00200000-005fffff\n", "200000-600000")]
    [InlineData("00200000-003fffff\n00400000-004fffff\n100000000-1000fffff\n", "200000-500000 100000000-100100000")]
    // In the crash kernel's region, past the RAM, in parts of pages, and nonsense.
    [InlineData("00800000-008fffff\n", "")]
    [InlineData("40000000-4fffffff\n", "")]
    [InlineData("00200800-00202fff\n", "201000-203000")]
    [InlineData("x-y\n-\n5\n600000-500000\n0-ffffffffffffffff\n", "")]
    public void RangesOfCmaAreReadAndOnlyRamIsTaken(string text, string expected)
    {
        Iomem iomem = Iomem.Parse("00100000-0fffffff : System RAM\n  00800000-00ffffff : Crash kernel\n100000000-1ffffffff : System RAM\n");
        foreach (string file in (string[])["/sys/kernel/kexec_crash_cma_ranges", "/sys/kernel/kexec/crash_cma_ranges"])
        {
            _tree.File(file, text);
            Assert.Equal(expected, string.Join(' ', CrashSettings.ReadCma(new(_tree.Root), iomem, 12).Select(static r => $"{r.Start:x}-{r.End:x}")));
        }
    }

    [Theory]
    [InlineData("crashkernel=256M crashkernel=512M,cma", 512ul << 20)]
    [InlineData("crashkernel=256M crashkernel=1G,cma crashkernel=64k,cma quiet", 64ul << 10)]
    [InlineData("crashkernel=256M,high crashkernel=72M,low", 0ul)]
    [InlineData("quiet -- crashkernel=512M,cma", 0ul)]
    [InlineData("crashkernel=,cma", 0ul)]
    [InlineData("crashkernel=99999999999T,cma", 0ul)]
    [InlineData("cma=64M", 0ul)]
    public void MemoryThatTheKernelDoesNotTellOfIsKnownByTheCommandLine(string line, ulong expected)
    {
        Assert.Equal(expected, CrashSettings.ReadHiddenCma(new(_tree.Root), line));
        _tree.File("/sys/kernel/kexec/crash_cma_ranges", "");
        Assert.Equal(0ul, CrashSettings.ReadHiddenCma(new(_tree.Root), line));
    }

    [Theory]
    [InlineData("memmap\n", "", false, PmemInDump.Metadata)]
    [InlineData("region\n", "crash_pmem.headers=none", true, PmemInDump.Region)]
    [InlineData("none\n", "", true, PmemInDump.None)]
    [InlineData("something\n", "", true, null)]
    [InlineData(null, "crash_pmem.headers=region", true, PmemInDump.Region)]
    [InlineData(null, "crash_pmem.headers=region", false, null)]
    [InlineData(null, "quiet", true, null)]
    public void TheParameterOfThePatchedKernelIsRead(string? file, string line, bool patched, PmemInDump? expected)
    {
        if (file is not null)
            _tree.File("/sys/module/crash_pmem/parameters/headers", file);
        Assert.Equal(expected, CrashSettings.ReadPmem(new(_tree.Root), line, patched));
    }

    [Theory]
    [InlineData("3\n", 3)]
    [InlineData("0\n", 0)]
    [InlineData("-1\n", 0)]
    [InlineData("99999999999999\n", int.MaxValue)]
    public void KeysAreCounted(string text, int expected)
    {
        Assert.Equal(0, CrashSettings.ReadCryptKeys(new(_tree.Root)));
        _tree.File("/sys/kernel/config/crash_dm_crypt_keys/count", text);
        Assert.Equal(expected, CrashSettings.ReadCryptKeys(new(_tree.Root)));
    }
}
