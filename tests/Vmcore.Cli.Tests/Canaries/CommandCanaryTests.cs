using System.Globalization;
using System.Text;

namespace Vmcore.Cli.Tests.Canaries;

/// <summary>
/// Every command and option that shows or writes bytes, names or numbers of the machine, run as an operator runs it, for machines whose pointers went wild
/// one by one: no trace of user data is in what it says or writes. <see cref="CanaryTests"/> does the same with the library and more pointers.
/// </summary>
public sealed class CommandCanaryTests(CanaryFile file) : IClassFixture<CanaryFile>
{
    private const int MostPointers = 2;

    private static readonly ulong s_text = BitConverter.ToUInt64(Encoding.ASCII.GetBytes(CanarySource.Text + "\0"));

    /// <summary>The command as a line, and the reader of the library that follows the same pointers.</summary>
    public static TheoryData<string, string> Commands { get; } = new()
    {
        { "vmcore info DUMP", "summary" },
        { "vmcore info --json DUMP", "summary" },
        { "vmcore info --hash DUMP", "pmem" },
        { "vmcore report DUMP", "stacks" },
        { "vmcore report DUMP", "counters" },
        { "vmcore report --json DUMP", "tasks" },
        { "vmcore report --json DUMP", "counters" },
        { "vmcore report --html DUMP", "mounts" },
        { "vmcore report -o OUT.html DUMP", "log" },
        { "vmcore report --redact -o OUT.json DUMP", "modules" },
        { "vmcore dmesg DUMP", "log" },
        { "vmcore dmesg -T -x DUMP", "log" },
        { "vmcore dmesg --json DUMP", "log" },
        { "vmcore dmesg --caller DUMP", "log" },
        { "vmcore bt -a DUMP", "stacks" },
        { "vmcore bt -c DUMP", "stacks" },
        { "vmcore bt -a --json DUMP", "stacks" },
        { "vmcore ps DUMP", "tasks" },
        { "vmcore ps -T --json DUMP", "tasks" },
        { "vmcore ps -s S,D DUMP", "tasks" },
        { "vmcore bt -g DUMP", "stacks" },
        { "vmcore locks -a DUMP", "locks" },
        { "vmcore locks -a --json DUMP", "locks" },
        { "vmcore runq DUMP", "queues" },
        { "vmcore runq --json DUMP", "queues" },
        { "vmcore workqueues -a DUMP", "work" },
        { "vmcore workqueues --json DUMP", "work" },
        { "vmcore io DUMP", "disks" },
        { "vmcore io --json DUMP", "disks" },
        { "vmcore slab --json DUMP", "slabs" },
        { "vmcore slab DUMP --objects *", "slabs" },
        { "vmcore whatis DUMP init_task.tasks.next init_task", "addresses" },
        { "vmcore whatis DUMP --json init_task.tasks.next init_task modules.next", "addresses" },
        { "vmcore whatis DUMP -p 0x140040000 0x1000", "addresses" },
        { "vmcore files DUMP", "tasks" },
        { "vmcore files --json DUMP 1", "mounts" },
        { "vmcore maps DUMP 1", "tasks" },
        { "vmcore ps -a -e DUMP", "tasks" },
        { "vmcore gcore DUMP 1 -o OUT", "tasks" },
        { "vmcore read --pid 1 DUMP init_task.tasks.next 512", "tasks" },
        { "vmcore modules DUMP", "modules" },
        { "vmcore modules --json DUMP", "modules" },
        { "vmcore mounts DUMP", "mounts" },
        { "vmcore mounts --json DUMP", "mounts" },
        { "vmcore pmem --ranges DUMP", "usage" },
        { "vmcore pmem --json DUMP", "usage" },
        { "vmcore pmem --page 0x140040 DUMP", "usage" },
        { "vmcore pmem --page 0x140040 --json DUMP", "usage" },
        { "vmcore map -o OUT.svg DUMP", "memmap" },
        { "vmcore map --json DUMP", "memmap" },
        { "vmcore map DUMP", "usage" },
        { "vmcore map -o OUT.html DUMP", "disks" },
        { "vmcore verify DUMP", "pmem" },
        { "vmcore verify --json DUMP", "pmem" },
        { "vmcore print DUMP init_task", "print" },
        { "vmcore print DUMP init_uts_ns", "print" },
        { "vmcore print DUMP --json init_task", "print" },
        { "vmcore print DUMP *iomem_resource.child", "print" },
        { "vmcore print DUMP list_for_each(init_task.tasks,task_struct,tasks)->comm", "tasks" },
        { "vmcore print DUMP --json list_for_each(modules,module,list)->name", "modules" },
        { "vmcore type DUMP task_struct page", "types" },
        { "vmcore type DUMP --json task_struct", "types" },
        { "vmcore symbol DUMP init_task modules", "symbols" },
        { "vmcore symbol DUMP --json init_task", "symbols" },
        { "vmcore vtop DUMP init_task.mm", "print" },
        { "vmcore vtop DUMP --json init_task.active_mm", "print" },
        { "vmcore-reader dis DUMP", "stacks" },
        { "vmcore-reader dis DUMP --json -t 1", "tasks" },
        { "vmcore-reader report --json DUMP", "stacks" },
        { "vmcore read DUMP init_task.tasks.next 512", "tasks" },
        { "vmcore read DUMP init_task.tasks.next 512 --json", "tasks" },
        { "vmcore read DUMP init_task.tasks.next 512 -f raw", "tasks" },
        { "vmcore read DUMP init_task.tasks.next 512 -f pointers", "tasks" },
        { "vmcore read DUMP iomem_resource.child 64 -f string", "resources" },
        { "vmcore exec DUMP BATCH", "tasks" },
        { "vmcore exec DUMP --text BATCH", "mounts" },
        { "vmcore-dmesg DUMP", "log" },
        { "makedumpfile --dump-dmesg DUMP OUT", "log" },
        { "makedumpfile --dump-dmesg --caller-id --partial-dmesg DUMP OUT", "log" },
        { "makedumpfile --mem-usage DUMP", "memmap" },
        { "makedumpfile -D -d 31 --dry-run DUMP OUT", "pmem" },
        { "makedumpfile -d 31 DUMP OUT", "pmem" },
        { "makedumpfile -d 31 -E DUMP OUT", "memmap" },
        { "makedumpfile -d 31 -F DUMP", "memmap" },
    };

    /// <summary>The ways in which bytes can be asked for by their address.</summary>
    public static TheoryData<string> Requests { get; } =
    [
        "vmcore read DUMP ADDRESS", "vmcore read DUMP ADDRESS --json", "vmcore read DUMP ADDRESS -f raw", "vmcore read DUMP ADDRESS -f string",
        "vmcore read DUMP ADDRESS -f u8", "vmcore read DUMP ADDRESS -f u16", "vmcore read DUMP ADDRESS -f u32", "vmcore read DUMP ADDRESS -f u64",
        "vmcore read DUMP ADDRESS -f pointers", "vmcore read DUMP PHYSICAL -p", "vmcore read DUMP PHYSICAL -p --json", "vmcore read DUMP PHYSICAL -p -f raw",
        "vmcore read DUMP PHYSICAL -p -f string", "vmcore print DUMP list_head ADDRESS", "vmcore print DUMP list_head ADDRESS --json",
        "vmcore read DUMP ADDRESS --pid 1", "vmcore print DUMP --pid 1 new_utsname ADDRESS", "vmcore print DUMP list_head --pid 1 ADDRESS",
        "vmcore print DUMP new_utsname ADDRESS", "vmcore print DUMP -p new_utsname PHYSICAL", "vmcore print DUMP -p new_utsname PHYSICAL --json",
    ];

    [Theory]
    [MemberData(nameof(Commands))]
    public void NoCommandShowsUserData(string command, string reader)
    {
        int tried = 0;
        foreach (long offset in file.Followed(reader, MostPointers))
        {
            foreach (ulong target in (ulong[])[file.Text, file.Pointers])
            {
                CanaryFile.AssertClean(Run(command, offset, target), command, offset);
                tried++;
            }
        }

        Assert.True(tried >= 2, $"'{command}' was not tried");
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public void NobodyGetsUserDataByItsAddress(string command)
    {
        long unused = file.Machine.OffsetOf(file.Machine.Canary);
        string said = Run(Place(command, file.Text, file.Machine.Canary + 0x48), unused, s_text);
        CanaryFile.AssertClean(said, command, unused);
    }

    /// <summary>The other way round: were it shown, it would be found. The same text, in the kernel's own memory, is.</summary>
    [Theory]
    [MemberData(nameof(Requests))]
    public void TheSameTextInTheKernelsMemoryIsFound(string command)
    {
        // Behind the domain's name in the kernel's utsname, where nothing that anybody goes by is.
        ulong address = file.Machine.Symbol("init_uts_ns")!.Value + 336;
        ulong physical;
        using (CrashDump dump = CrashDump.Open(file.Path))
            physical = dump.KernelView.RequireMemory().Translate(address).PhysicalAddress;
        string said = Run(Place(command, address, physical), file.Machine.OffsetOf(physical), s_text);
        Assert.True(CanarySource.Traces.Any(t => said.Contains(t, StringComparison.OrdinalIgnoreCase)),
            $"'{command}' shows the text in no way that is known: {said}");
    }

    private static string Place(string command, ulong address, ulong physical) => command
        .Replace("ADDRESS", string.Create(CultureInfo.InvariantCulture, $"0x{address:x}"), StringComparison.Ordinal)
        .Replace("PHYSICAL", string.Create(CultureInfo.InvariantCulture, $"0x{physical:x}"), StringComparison.Ordinal);

    private string Run(string command, long offset, ulong word)
    {
        string[] words = command.Split(' ');
        string program = words[0] switch
        {
            "vmcore" => Executable.Vmcore,
            "vmcore-reader" => Executable.Reader,
            "makedumpfile" => Executable.Makedumpfile,
            _ => Executable.VmcoreDmesg,
        };
        return file.Run(program, offset, word, words[1..]);
    }
}
