using System.Text;
using Vmcore.Architectures;
using Vmcore.Dumping;
using Vmcore.IO;
using Vmcore.Kernel.Addresses;
using Vmcore.Kernel.Block;
using Vmcore.Kernel.Counters;
using Vmcore.Kernel.Locks;
using Vmcore.Kernel.Log;
using Vmcore.Kernel.Scheduling;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Summary;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vfs;
using Vmcore.Memmap;
using Vmcore.Pmem.Usage;
using Vmcore.Ranges;

namespace Vmcore.Cli.Tests.Canaries;

/// <summary>Whatever of the library returns bytes, names or numbers out of the machine's memory, by name; each as the text of all of it.</summary>
internal static class Readers
{
    internal static IReadOnlyDictionary<string, Func<CrashDump, string>> All { get; } = new Dictionary<string, Func<CrashDump, string>>
    {
        ["names"] = static d => $"{d.Kernel?.Utsname} {Encoding.Latin1.GetString(d.VmcoreInfo!.Text.Span)} {string.Join('\n', d.Problems)}",
        ["log"] = Log,
        ["symbols"] = static d => string.Join('\n', d.KernelView.RequireSymbols().All().Select(static s => s.Name)),
        ["types"] = Types,
        ["resources"] = static d => d.Resources?.ToIomem() ?? "",
        ["tasks"] = static d => string.Join('\n', d.KernelView.RequireTasks().Tasks.Select(static t => $"{t} {t.Name}")) + d.Tasks!.Problem,
        ["stacks"] = Stacks,
        ["times"] = static d => d.KernelView.Times is { } times
            ? string.Join('\n', d.KernelView.RequireTasks().Tasks.Select(times.Of).Select(static t =>
                $"{t.Started:x} {t.UserTime:x} {t.SystemTime:x} {t.RunTime:x} {t.InStateAtMost:x}")) + times.Problem
            : "",
        ["locks"] = Locks,
        ["queues"] = Queues,
        ["work"] = Work,
        ["disks"] = static d => BlockDisks.Load(d.KernelView) is var b
            ? string.Join('\n', b.Disks.Select(static k => $"{k.Name} {k.Device} {k.Queue:x} {k.Operations:x} {k.Reads} {k.Writes} {Requests(k)}"))
                + string.Join('\n', b.Problems) : "",
        ["slabs"] = static d => d.OpenSlabs() is var s
            ? string.Join('\n', s.Count().Select(static u => $"{u.Cache.Name} {u.Cache.Address:x} {u.Slabs} {u.Objects} {u.Free} {u.Unknown}"))
                + string.Join('\n', s.Problems) : "",
        ["addresses"] = Addresses,
        ["modules"] = static d => "modules: " + string.Join('\n', (d.Modules?.Modules ?? [])
            .Select(static m => $"{m.Name} {m.State} {m.Taints} {string.Join(' ', m.UsedBy)}")),
        ["mounts"] = Mounts,
        ["counters"] = static d => MemoryCounters.Read(d.KernelView) is var c
            ? string.Join('\n', c.Zones) + string.Join('\n', c.Counters) + string.Join('\n', c.HugePages) + string.Join('\n', c.Problems) : "",
        ["usage"] = Usage,
        ["summary"] = static d => CrashSummary.Read(d.KernelView) is var s ? $"{s.Panic} {string.Join('\n', s.Problems)} {s.Crashing?.Task?.Name}" : "",
        ["pmem"] = static d => string.Join('\n', d.Pmem.Namespaces.Select(static n => $"{n}")) + string.Join('\n', d.Pmem.Findings),
        ["print"] = Print,
        ["memmap"] = Structs,
        ["dump"] = static d => Dump(d, new() { Level = (DumpLevel)31, Threads = 1 }),
        ["ELF dump"] = static d => Dump(d, new() { Level = DumpLevel.None, Output = DumpOutput.Elf, Threads = 1 }),
    };

    private static string Log(CrashDump dump)
    {
        if (KernelLog.TryOpen(dump.VmcoreInfo!, dump.KernelView.RequireMemory(), out string? problem) is not { } log)
            return problem!;
        var text = new StringBuilder();
        foreach (LogRecord record in log.Read())
            text.Append(Encoding.Latin1.GetString(record.Text.Span)).Append('\n');
        return text.Append(string.Join('\n', log.Problems)).ToString();
    }

    private static string Types(CrashDump dump)
    {
        KernelTypes types = dump.KernelView.RequireTypes();
        var text = new StringBuilder();
        foreach (string name in (string[])["struct task_struct", "struct page", "struct inode", "struct module", "struct super_block"])
            text.Append(types.Find(name, out string? problem) is { } type ? TypeDeclaration.Write(type, true) : problem).Append('\n');
        return text.ToString();
    }

    private static string Stacks(CrashDump dump)
    {
        var stacks = KernelStacks.Load(dump.KernelView);
        var text = new StringBuilder();
        foreach (KernelTask task in dump.Tasks!.Tasks)
        {
            TaskStack stack = stacks.Trace(task);
            text.Append(stack.Problem).Append('\n');
            foreach (StackFrame frame in stack.Frames)
            {
                string name = dump.KernelView.RequireSymbols().TryResolve(frame.SymbolAddress, out KernelSymbol symbol, out _) ? symbol.Name : "";
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{frame.Address:x} {name} {frame.Registers}\n");
            }
        }

        return text.ToString();
    }

    private static string Locks(CrashDump dump)
    {
        var waits = LockWaits.Load(dump.KernelView);
        return string.Join('\n', waits.Locks.Select(static l => $"{l.Kind} {l.Address:x} {l.OwnerAddress:x} {l.Readers} {l.Owner?.Name} {l.Successor?.Name}"))
            + string.Join('\n', waits.Locks.SelectMany(static l => l.Waits).Select(static w => $"{w.Task.Name} {w.Waiter:x}"))
            + string.Join('\n', waits.Problems);
    }

    private static string Queues(CrashDump dump)
    {
        var queues = RunQueues.Load(dump.KernelView);
        var rcu = RcuState.TryRead(dump.KernelView);
        return string.Join('\n', queues.Queues.Select(static q =>
                $"{q.Address:x} {q.Clock:x} {q.Switches:x} {q.Current?.Name} {string.Join(' ', q.Queued.Select(static t => t.Task.Name))}"))
            + string.Join('\n', queues.Problems) + $"{rcu?.Sequence:x} {rcu?.Age:x} {string.Join(' ', rcu?.Cpus ?? [])}";
    }

    private static string Work(CrashDump dump)
    {
        var queues = Workqueues.Load(dump.KernelView);
        return string.Join('\n', queues.Pools.Select(static p => $"{p.Id} {p.Address:x} {p.Workers} {p.Idle} {p.Nice} {p.Stalled:x}"
                + string.Join(' ', p.Busy.Select(static w => $"{w.Function:x} {w.Workqueue} {w.Task?.Name}"))
                + string.Join(' ', p.Pending.Select(static w => $"{w.Function:x} {w.Workqueue} {w.Waiter?.Name}"))))
            + string.Join('\n', queues.Queues.Select(static q => $"{q.Name} {q.Address:x} {q.IsMayday}")) + string.Join('\n', queues.Problems);
    }

    private static string Requests(BlockDisk disk) =>
        string.Join(' ', disk.Requests.Select(static r => $"{r.Address:x} {r.Operation} {r.Sector:x} {r.Length:x} {r.Age:x} {r.EndFunction:x}"));

    private static string Addresses(CrashDump dump)
    {
        AddressFinder finder = dump.OpenAddresses();
        var text = new StringBuilder();
        foreach (string name in (string[])["init_task", "modules", "init_task.tasks.next", "modules.next"])
        {
            var item = dump.Evaluate(name);
            AddressFacts facts = finder.Find(name.Contains('.', StringComparison.Ordinal) ? item.AsUInt64() : item.Address!.Value);
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{facts.Symbol} {facts.Part} {facts.Object} {facts.State} {facts.Task?.Name} ")
                .Append(System.Globalization.CultureInfo.InvariantCulture, $"{facts.Stack?.Task?.Name} {facts.PerCpu?.Variable} {facts.Area?.Caller:x}")
                .Append(string.Join('\n', facts.Problems)).Append('\n');
        }

        return text.ToString();
    }

    private static string Mounts(CrashDump dump)
    {
        var vfs = KernelVfs.Open(dump.KernelView);
        string mounts = string.Join('\n', vfs.Mounts.Select(static m => $"{m.Source} {m.Target} {m.Root} {m.Type} {m.Options}"));
        return mounts + string.Join('\n', vfs.SuperBlocks().Select(static b => $"{b.Id} {b.Type}")) + string.Join('\n', vfs.Problems);
    }

    private static string Usage(CrashDump dump)
    {
        PmemUsage usage = dump.CollectPmemUsage();
        return string.Join('\n', usage.Files.Select(static f => $"{f.Path.Text} {f.Device} {f.Mapping:x} {f.Inode}"))
            + string.Join('\n', usage.Mappings.Select(static m => $"{m.Path.Text} {m.Process.Name} {m.Area}")) + string.Join('\n', usage.Problems);
    }

    private static string Print(CrashDump dump)
    {
        KernelTypes types = dump.KernelView.RequireTypes();
        var formatter = new ValueFormatter(dump.KernelView.RequireMemory(), static _ => null);
        var text = new StringBuilder();
        foreach ((string type, string symbol) in ((string, string)[])[("struct task_struct", "init_task"), ("struct uts_namespace", "init_uts_ns"),
            ("struct resource", "iomem_resource"), ("struct list_head", "modules"), ("struct mm_struct", "init_mm")])
        {
            if (dump.KernelView.RequireSymbols().TryFind(symbol, out ulong address) && types.Find(type) is { } found)
                text.Append(formatter.Format(KernelObject.At(dump.KernelView.RequireMemory(), found, address))).Append('\n');
        }

        return text.ToString();
    }

    private static string Structs(CrashDump dump)
    {
        if (dump.Memmap is not { } memmap)
            return dump.ClassificationProblem?.ToString() ?? "";
        var text = new StringBuilder();
        byte[] pair = new byte[2 * memmap.StructPageSize];
        foreach (PfnRange range in dump.Pmem.Pages.Union(dump.Memory.Extents))
        {
            for (ulong pfn = range.Start; pfn < range.End; pfn += 509)
            {
                if (memmap.TryReadPair(pfn, pair))
                    text.Append(Convert.ToHexStringLower(pair)).Append('\n');
            }
        }

        return text.ToString();
    }

    private static string Dump(CrashDump dump, DumpOptions options)
    {
        using var sink = new Sink();
        Dumper.Write(new(dump, options), sink, Silence.Instance);
        return sink.Found;
    }

    private sealed class Sink : IByteSink
    {
        internal string Found { get; private set; } = "";

        public string Name => "canaries";

        public long BytesWritten { get; private set; }

        public bool GapsReadAsZero => true;

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            BytesWritten += bytes.Length;
            foreach (string trace in CanarySource.Traces)
            {
                if (bytes.IndexOf(Encoding.ASCII.GetBytes(trace)) >= 0)
                    Found += trace;
            }
        }

        public void Complete(long length)
        {
        }

        public void Dispose()
        {
        }
    }

    private sealed class Silence : IDumpObserver
    {
        internal static readonly Silence Instance = new();

        public void Started(DumpStep step)
        {
        }

        public void Progress(DumpStep step, ulong done, ulong total)
        {
        }

        public void Finished(DumpStep step, TimeSpan elapsed)
        {
        }
    }
}
