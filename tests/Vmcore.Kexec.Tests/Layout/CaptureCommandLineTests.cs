using Vmcore.Ranges;

namespace Vmcore.Kexec.Tests.Layout;

public sealed class CaptureCommandLineTests
{
    private const string All = "initcall_blacklist=nd_pmem_driver_init,dax_pmem_init,nfit_init,e820_pmem_driver_init,virtio_pmem_driver_init,cxl_pmem_init";
    private static readonly RunningSystem Pmem = ElfCoreHeaderTests.Synthetic("00100000-7fffffff : System RAM\n") with
    {
        CommandLine = "BOOT_IMAGE=/vmlinuz root=/dev/vda1 crashkernel=192M,high crashkernel=64M,low quiet",
        Pmem = PfnRangeSet.From([new(0x100000, 0x110000)]),
        Namespaces = [Space(MemmapPlace.Media)],
    };

    [Fact]
    public void TheDriversAreKeptOutWhereThereIsPmem()
    {
        CaptureCommandLine line = Build(Pmem, new() { CommandLine = "root=/dev/vda1  nr_cpus=1" });
        Assert.Equal($"root=/dev/vda1 nr_cpus=1 {All} elfcorehdr=1K", line.Text);
        Assert.Equal([All, "elfcorehdr=1K"], line.Added);
    }

    [Fact]
    public void WhereThereIsNoneNothingIsAdded() =>
        Assert.Equal("quiet elfcorehdr=1K", Build(Pmem with { Namespaces = [] }, new() { CommandLine = "quiet" }).Text);

    [Theory]
    [InlineData(MemmapPlace.None)]
    [InlineData(MemmapPlace.Ram)]
    public void NamespacesWithoutAMemmapOnTheMediaMayBeDumpTargets(MemmapPlace place) =>
        Assert.Equal("quiet elfcorehdr=1K", Build(Pmem with { Namespaces = [Space(place)] }, new() { CommandLine = "quiet" }).Text);

    [Fact]
    public void NorIfToldSo()
    {
        Assert.Equal("quiet elfcorehdr=1K", Build(Pmem, new() { CommandLine = "quiet", KeepPmemDrivers = true }).Text);
        Assert.Equal("quiet elfcorehdr=1K", Build(Pmem, new() { CommandLine = "quiet", Pmem = PmemInDump.None }).Text);
    }

    [Fact]
    public void RamOfKmemWouldBeOverwrittenByItsDriver() =>
        Assert.Contains(",dax_kmem_init elfcorehdr", Build(Pmem with { HasKmem = true, Namespaces = [] }, new()).Text, StringComparison.Ordinal);

    [Fact]
    public void TheRunningCommandLineLosesImageAndCrashkernel() =>
        Assert.Equal("root=/dev/vda1 quiet irqpoll elfcorehdr=1K",
            Build(Pmem with { Namespaces = [] }, new() { CommandLine = "irqpoll", ReuseCommandLine = true }).Text);

    /// <summary>Words for init may be in the running line, in the operator's, or in both; none for the kernel comes behind the dashes.</summary>
    [Theory]
    [InlineData("quiet -- single", "irqpoll nr_cpus=1", "quiet irqpoll nr_cpus=1 elfcorehdr=1K -- single")]
    [InlineData("quiet -- single", "irqpoll -- emergency", "quiet irqpoll elfcorehdr=1K -- single emergency")]
    [InlineData("quiet", "irqpoll -- emergency", "quiet irqpoll elfcorehdr=1K -- emergency")]
    [InlineData("quiet --", "irqpoll", "quiet irqpoll elfcorehdr=1K --")]
    public void TheOperatorsWordsAreTheKernelsWhateverTheRunningLineGivesInit(string running, string own, string expected) =>
        Assert.Equal(expected, Build(Pmem with { Namespaces = [], CommandLine = running }, new() { CommandLine = own, ReuseCommandLine = true }).Text);

    [Fact]
    public void TheUsersOwnBlacklistIsCompletedNotRepeated()
    {
        string text = Build(Pmem, new() { CommandLine = "initcall_blacklist=foo_init,nfit_init initcall-blacklist=dax_pmem_init" }).Text;
        Assert.Equal(
            "initcall_blacklist=foo_init,nfit_init initcall-blacklist=dax_pmem_init "
                + "initcall_blacklist=nd_pmem_driver_init,e820_pmem_driver_init,virtio_pmem_driver_init,cxl_pmem_init elfcorehdr=1K",
            text);
    }

    [Fact]
    public void WordsForInitStayBehindTheDashes() =>
        Assert.Equal($"quiet {All} elfcorehdr=1K -- single", Build(Pmem, new() { CommandLine = "quiet -- single" }).Text);

    [Fact]
    public void QuotedBlanksStay() =>
        Assert.Equal($"dyndbg=\"file a +p; file b -- +p\" {All} elfcorehdr=1K", Build(Pmem, new() { CommandLine = "dyndbg=\"file a +p; file b -- +p\"" }).Text);

    [Fact]
    public void AnElfcorehdrOfAnotherLoadIsDropped() =>
        Assert.DoesNotContain("elfcorehdr=9", Build(Pmem, new() { CommandLine = "elfcorehdr=999K" }).Text, StringComparison.Ordinal);

    [Fact]
    public void MemmapThatMakesPmemIsDroppedAndToldOf()
    {
        CaptureCommandLine line = Build(Pmem, new() { CommandLine = "memmap=4G!12G memmap=1G$2G,1G!5G" });
        Assert.StartsWith("memmap=1G$2G initcall", line.Text, StringComparison.Ordinal);
        Assert.Equal(2, line.Notes.Count);
    }

    [Fact]
    public void SeveralModuleBlacklistsAreWarnedOf() =>
        Assert.Contains("module_blacklist", Assert.Single(Build(Pmem, new() { CommandLine = "module_blacklist=a module_blacklist=b" }).Notes),
            StringComparison.Ordinal);

    [Fact]
    public void ALongLineGetsOnlyWhatIsNeededAndALongerOneIsRefused()
    {
        const string shorter = "initcall_blacklist=nd_pmem_driver_init,dax_pmem_init elfcorehdr=1K";
        string user = new('x', 2047 - shorter.Length - 1);
        Assert.Equal($"{user} {shorter}", Build(Pmem, new() { CommandLine = user }).Text);
        KexecException e = Assert.Throws<KexecException>(() => Build(Pmem, new() { CommandLine = user + "yy" }));
        Assert.Contains("shorten it by 2 bytes", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LengthIsCountedInBytes()
    {
        string user = new('é', 1020);
        Assert.Throws<KexecException>(() => Build(Pmem with { Namespaces = [] }, new() { CommandLine = user }));
        Assert.Equal((2 * 1010) + " elfcorehdr=1K".Length + 1,
            Build(Pmem with { Namespaces = [] }, new() { CommandLine = user[..1010] }).ToBytes().Length);
    }

    private static NdNamespace Space(MemmapPlace place) =>
        new() { Name = "namespace0.0", Range = new(0x100000000, 0x110000000), Mode = "fsdax", Memmap = place };

    private static CaptureCommandLine Build(RunningSystem system, LoadOptions options) => CaptureCommandLine.Build(system, options, ["elfcorehdr=1K"], 2047);
}
