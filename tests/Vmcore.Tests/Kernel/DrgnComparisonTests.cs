using System.Globalization;
using System.Numerics;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Kernel.Log;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Summary;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vfs;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Testing;

namespace Vmcore.Tests.Kernel;

/// <summary>
/// Types and values as drgn prints them, which has them from the debug information of a vmlinux; we have them from the dump alone. Run where
/// VMCORE_FIXTURES has the dump and VMCORE_VMLINUX is a folder with <c>vmlinux-RELEASE</c>.
/// </summary>
public sealed class DrgnComparisonTests
{
    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64", 120, false)]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64", 120, false)]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64", 120, true)]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64", 120, true)]
    public void ValuesAndTypesArePrintedAsDrgnPrintsThem(string name, string release, int least, bool fromDebugInformation)
    {
        using CrashDump dump = Open(name, release, out string dumpFile, out string vmlinux);
        string requests = Drgn("", dumpFile, vmlinux, "sample");
        string[] asked = requests.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] answers = Drgn(requests, dumpFile, vmlinux).Split("\n\f\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(asked.Length, answers.Length);
        Assert.True(asked.Length >= least, $"only {asked.Length} requests");

        using VmlinuxFile? file = fromDebugInformation ? VmlinuxFile.Open(vmlinux) : null;
        KernelTypes types = file is null ? dump.Types! : KernelTypes.TryFrom(file)!;
        var formatter = new ValueFormatter(dump.Kernel?.Memory!, _ => null);
        for (int i = 0; i < asked.Length; i++)
        {
            string[] words = asked[i].Split(' ', 3);
            bool isType = words[0] == "type";
            string typeName = isType ? asked[i][5..] : words[2];
            KernelType? type = types.Find(typeName, out string? problem);
            Assert.True(type is not null, $"{typeName}: {problem}");
            string ours = isType ? TypeDeclaration.Write(type!, withOffsets: false)
                : formatter.Format(KernelObject.At(dump.Kernel?.Memory!, type!,
                    ulong.Parse(words[1].AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)));

            // BTF does not say whether an array without elements at the end of a struct was declared as [0] or [].
            if (file is null)
                (ours, answers[i]) = (ours.Replace("[0]", "[]", StringComparison.Ordinal), answers[i].Replace("[0]", "[]", StringComparison.Ordinal));
            Assert.Equal(answers[i], ours);
        }
    }

    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64")]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64")]
    public void TheStateIsThatOfDrgn(string name, string release)
    {
        using CrashDump dump = Open(name, release, out string dumpFile, out string vmlinux);
        string[] theirs = SourceTree.RunReader("state-drgn", "", dumpFile, vmlinux).Split('\n');
        CrashSummary ours = CrashSummary.Read(dump.KernelView);
        Assert.Empty(ours.Problems);
        Assert.Equal(theirs[0], ours.Uptime!.Value.TotalSeconds.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(theirs[1] == "0", ours.Taints!.Count == 0);
        foreach ((string average, double load) in theirs[2].Split(' ').Zip(ours.LoadAverage!))
            Assert.Equal(double.Parse(average, CultureInfo.InvariantCulture) / 2048, load, 0.0101);
        Assert.Equal(BitOperations.PopCount(ulong.Parse(theirs[3], CultureInfo.InvariantCulture)), ours.CpusOnline);
        Assert.Equal(theirs[4], string.Create(CultureInfo.InvariantCulture, $"{ours.Crashing!.Task!.Pid} {ours.Crashing.Task.Name} {ours.Crashing.Number}"));
        Assert.Equal("Kernel panic - not syncing: sysrq triggered crash", ours.Panic);
    }

    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64")]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64")]
    public void SymbolsOfTheVmlinuxAreWhereTheKernelRan(string name, string release)
    {
        using CrashDump own = Open(name, release, out string dumpFile, out string vmlinux);
        using CrashDump dump = CrashDump.Open(dumpFile, new() { Vmlinux = vmlinux });
        Dictionary<string, ulong> theirs = dump.Symbols!.All().GroupBy(s => s.Name)
            .Where(g => g.Count() == 1).ToDictionary(g => g.Key, g => g.Single().Address);
        int compared = 0;
        foreach (KernelSymbol symbol in own.Symbols!.All().GroupBy(s => s.Name).Where(g => g.Count() == 1).Select(g => g.Single()))
        {
            if (!theirs.TryGetValue(symbol.Name, out ulong address))
                continue;
            Assert.Equal((symbol.Name, symbol.Address), (symbol.Name, address));
            compared++;
        }

        Assert.True(compared > 80_000, $"only {compared} symbols");
        Assert.Equal(own.Tasks!.Tasks.Select(t => (t.Address, t.Name)), dump.Tasks!.Tasks.Select(t => (t.Address, t.Name)));

        // Of a static variable only debug information knows the type.
        Assert.Null(own.Types!.VariableType("tk_core", out _));
        Assert.NotNull(dump.Types!.VariableType("tk_core", out _)?.FindMember("timekeeper"));
        Assert.Contains("don't match", Assert.Throws<MissingInformationException>(() => CrashDump.Open(dumpFile, new()
        {
            Vmlinux = Directory.EnumerateFiles(Path.GetDirectoryName(vmlinux)!, "vmlinux-*").First(f => f != vmlinux),
        })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64")]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64")]
    public void TasksAreThoseOfDrgn(string name, string release)
    {
        using CrashDump dump = Open(name, release, out string dumpFile, out string vmlinux);
        IEnumerable<string> ours = dump.Tasks!.Tasks.Where(t => t.Pid != 0).Select(t =>
            string.Create(CultureInfo.InvariantCulture, $"{t.Address:x} {t.Pid} {t.Tgid} {t.ParentPid} {t.State} {t.Cpu} {t.Name}"));
        Assert.Null(dump.Tasks.Problem);
        Assert.Equal(Lines("tasks-drgn", dumpFile, vmlinux), ours.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64")]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64")]
    public void MountsAreThoseOfDrgn(string name, string release)
    {
        using CrashDump dump = Open(name, release, out string dumpFile, out string vmlinux);
        string[] theirs = SourceTree.RunReader("mounts-drgn", "", dumpFile, vmlinux).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        KernelVfs vfs = KernelVfs.Open(dump.KernelView);
        Assert.True(theirs.Length > 5, $"only {theirs.Length} mounts");
        Assert.Equal(theirs,
            vfs.Mounts.Select(static m => $"{m.Address:x} {m.Source} {m.Target} {m.Type} {m.SuperBlock!.Device.Major}:{m.SuperBlock.Device.Minor}"));
        Assert.Empty(vfs.Problems);
    }

    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64")]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64")]
    public void DebugInformationGivesWhatBtfGives(string name, string release)
    {
        using CrashDump dump = Open(name, release, out _, out string vmlinux);
        using VmlinuxFile file = VmlinuxFile.Open(vmlinux);
        KernelTypes debug = KernelTypes.TryFrom(file)!;
        Vmcore.Memory.IVirtualMemory memory = dump.Kernel?.Memory!;
        IReadOnlyList<KernelMount> mounts = KernelVfs.Open(dump.Symbols, dump.Types!, memory).Mounts;
        Assert.NotEmpty(mounts);
        Assert.Equal(mounts, KernelVfs.Open(dump.Symbols, debug, memory).Mounts);
        ProcessMappings ours = new(dump.Types!, memory), theirs = new(debug, memory);
        FileMapping[] files = [.. dump.Tasks!.Tasks.SelectMany(ours.FilesOf)];
        Assert.NotEmpty(files);
        Assert.Equal(files, dump.Tasks!.Tasks.SelectMany(theirs.FilesOf));
        Assert.Equal(dump.Resources!.ToIomem(), ResourceTree.TryLoad(dump.Symbols!, memory, debug, out _)!.ToIomem());
    }

    // This drgn knows neither the unwind tables of 6.4 and later, nor those of modules without their debug information.
    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64")]
    public void StacksAreThoseOfDrgn(string name, string release)
    {
        using CrashDump dump = Open(name, release, out string dumpFile, out string vmlinux);
        var stacks = KernelStacks.Load(dump.KernelView);
        Dictionary<ulong, KernelTask> tasks = dump.Tasks!.Tasks.ToDictionary(t => t.Address);
        int compared = 0;
        foreach (string line in Lines("stacks-drgn", dumpFile, vmlinux))
        {
            ulong[] numbers = Array.ConvertAll(line.Split(' '), n => ulong.Parse(n, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
            TaskStack stack = stacks.Trace(tasks[numbers[0]]);
            Assert.Equal((StackMethod.Orc, null), (stack.Method, stack.Problem));
            IEnumerable<ulong> theirs = numbers.Skip(1), ours = stack.Frames.Select(f => f.Address);
            int module = stack.Frames.ToList().FindIndex(f => dump.Modules!.Find(f.Address) is not null);
            Assert.Equal(module < 0 ? theirs : theirs.Take(module + 1), module < 0 ? ours : ours.Take(module + 1));
            compared++;
        }

        Assert.True(compared > 30, $"only {compared} stacks");
        Assert.Equal("init", stacks.Crashing?.Task?.Name);
    }

    [Theory]
    [InlineData("stock-6.1-nopmem")]
    [InlineData("stock-6.1-pmem-missing")]
    [InlineData("stock-6.12")]
    [InlineData("rfc-v2-6.1")]
    public void TheStackOfThePanicIsThatOfItsOwnLog(string name)
    {
        string dumpFile = Path.Combine(Environment.GetEnvironmentVariable("VMCORE_FIXTURES") ?? "", name + ".vmcore");
        Assert.SkipUnless(File.Exists(dumpFile), $"{dumpFile} does not exist");
        using CrashDump dump = CrashDump.Open(dumpFile);
        var stacks = KernelStacks.Load(dump.KernelView);
        TaskStack stack = stacks.Trace(stacks.Crashing!);
        Assert.Null(stack.Problem);
        string[] ours = [.. stack.Frames.Where(f => f.Registers is not { IsUser: true }).Select(f =>
            dump.Symbols!.TryResolve(f.SymbolAddress, out KernelSymbol symbol, out ulong offset, out ulong? size)
                ? string.Create(CultureInfo.InvariantCulture, $"{symbol.Name}+0x{(f.IsInterrupted ? offset : offset + 1):x}/0x{size:x}") : "?")];
        string[] panic = [.. KernelLog.TryOpen(dump.VmcoreInfo!, dump.Kernel?.Memory!, out _)!.Read().Select(r => Encoding.Latin1.GetString(r.Text.Span).Trim())
            .SkipWhile(t => !t.StartsWith("Kernel panic", StringComparison.Ordinal)).SkipWhile(t => !t.StartsWith("panic+", StringComparison.Ordinal)).Skip(1)
            .TakeWhile(t => t.Contains("+0x", StringComparison.Ordinal) && !t.StartsWith("RIP", StringComparison.Ordinal)).Where(t => !t.StartsWith('?'))];

        // panic itself goes on from the line that prints the trace to the one that boots the capture kernel.
        Assert.True(panic.Length > 5, $"only {panic.Length} lines");
        Assert.Equal(panic, ours.SkipWhile(t => !t.StartsWith("panic+", StringComparison.Ordinal)).Skip(1));
        Assert.All(dump.Tasks!.Tasks, t => Assert.Null(stacks.Trace(t).Problem));
    }

    private static CrashDump Open(string name, string release, out string dumpFile, out string vmlinux)
    {
        dumpFile = Path.Combine(Environment.GetEnvironmentVariable("VMCORE_FIXTURES") ?? "", name + ".vmcore");
        vmlinux = Path.Combine(Environment.GetEnvironmentVariable("VMCORE_VMLINUX") ?? "", "vmlinux-" + release);
        Assert.SkipUnless(File.Exists(dumpFile), $"{dumpFile} does not exist");
        Assert.SkipUnless(File.Exists(vmlinux), $"{vmlinux} does not exist");
        return CrashDump.Open(dumpFile);
    }

    private static IEnumerable<string> Lines(string script, params string[] arguments) =>
        SourceTree.RunReader(script, "", arguments).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal);

    private static string Drgn(string input, params string[] arguments) => SourceTree.RunReader("print-drgn", input, arguments);
}
