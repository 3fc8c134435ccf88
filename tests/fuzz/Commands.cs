using Vmcore.Cli;
using Vmcore.Cli.Dmesg;
using Vmcore.Cli.Kexec;
using Vmcore.Cli.Makedumpfile;

namespace Vmcore.Fuzz;

/// <summary>Runs commands in this process, as the executable does, with a watched console.</summary>
internal static class Commands
{
    private static string Batch { get; } = Scratch.File("batch", "ps\nnosuch\nbt -a # all\nprint init_task.comm\nmounts\nprint 'init_task.mm'\n"u8.ToArray());

    private static string Picture { get; } = Scratch.File("picture.svg", []);

    /// <summary>Every command that reads a dump; the file's name goes in the place of {}.</summary>
    internal static IReadOnlyList<string[]> Readers { get; } =
    [
        ["info", "{}"], ["info", "--json", "{}"], ["dmesg", "{}"], ["dmesg", "--json", "{}"], ["bt", "-a", "{}"], ["bt", "--json", "-a", "{}"], ["ps", "{}"],
        ["ps", "--json", "{}"], ["bt", "-g", "{}"], ["locks", "-a", "{}"], ["locks", "-a", "--json", "{}"], ["runq", "{}"], ["runq", "--json", "{}"],
        ["workqueues", "-a", "{}"], ["workqueues", "--json", "{}"], ["io", "{}"], ["io", "--json", "{}"], ["slab", "{}"], ["slab", "--json", "{}"],
        ["slab", "--objects", "{}", "task_struct"], ["whatis", "{}", "init_task", "init_task.stack", "init_task.tasks.next", "modules.next"],
        ["whatis", "--json", "{}", "init_task.cred", "0xffffea0000001040"], ["whatis", "-p", "{}", "0x1000000", "0x100000000"],
        ["dis", "{}"], ["dis", "--json", "{}", "schedule", "panic+0x10"], ["dis", "-t", "1", "{}"],
        ["files", "{}"], ["files", "--json", "{}"], ["maps", "{}", "1"], ["maps", "--json", "{}", "1"], ["ps", "--args", "--environment", "{}"],
        ["gcore", "{}", "1", "-f", "-o", "/dev/null"], ["read", "{}", "0x400000", "--pid", "1"],
        ["modules", "{}"], ["mounts", "{}"], ["pmem", "{}"], ["pmem", "--json", "{}"], ["map", "{}"], ["map", "--json", "{}"],
        ["map", "-f", "-o", Picture, "{}"],
        ["verify", "{}"], ["print", "{}", "init_task"], ["print", "--json", "{}", "init_task"], ["type", "{}", "task_struct"],
        ["type", "--json", "{}", "struct page"], ["symbol", "{}", "schedule"], ["read", "{}", "init_task"], ["vtop", "{}", "init_task"],
        ["print", "{}", "list_for_each(init_task.tasks, struct task_struct, tasks)->comm", "per_cpu(runqueues).cfs.tasks_timeline"],
        ["print", "--json", "{}", "mt_for_each(list_for_each(init_task.tasks, struct task_struct, tasks)->mm->mm_mt, struct vm_area_struct)"],
        ["exec", "{}", Batch], ["exec", "--text", "{}", Batch],
        ["vmcore-dmesg", "{}"], ["makedumpfile", "--dump-dmesg", "-f", "{}", "/dev/null"], ["makedumpfile", "--dry-run", "-d", "31", "{}", "/dev/null"],
        ["makedumpfile", "--dry-run", "-d", "0", "-l", "{}", "/dev/null"], ["makedumpfile", "--dry-run", "-E", "-d", "31", "{}", "/dev/null"],
    ];

    /// <summary>One of the readers. Those that read or hash all of the memory take a turn a quarter as often: they cost as much as all the others.</summary>
    internal static string[] Draw(Random random)
    {
        while (true)
        {
            string[] words = Readers[random.Next(Readers.Count)];
            if (!(words[0] is "info" or "verify" || words.Contains("-l")) || random.Next(4) == 0)
                return words;
        }
    }

    /// <summary>The command that runs, or ran last, for who reports a fault; null if none did.</summary>
    internal static string? Last { get; private set; }

    /// <summary>Runs one.</summary>
    /// <param name="words">The command line; without the name of another tool, that of vmcore.</param>
    /// <param name="file">What stands for {}.</param>
    /// <param name="looksForUserData">True if no user data of pmem may come out: the input says truly what is pmem.</param>
    /// <returns>The exit status.</returns>
    internal static int Run(IEnumerable<string> words, string file, bool looksForUserData)
    {
        string[] args = [.. words.Select(w => w == "{}" ? file : w)];
        Last = string.Join(' ', args);
        using var output = new WatchedOutput(isError: false, looksForUserData);
        using var error = new WatchedOutput(isError: true, looksForUserData);
        Console.SetOut(output);
        Console.SetError(error);
        int status;
        try
        {
            status = args[0] switch
            {
                "makedumpfile" => MakedumpfileCommand.Run(args[1..]),
                "kexec" => KexecCommand.Run(args[1..], output, error),
                "vmcore-dmesg" => VmcoreDmesgCommand.Run(args[1..]),
                _ => VmcoreCommand.Run(args),
            };
        }
        catch (VmcoreException e)
        {
            error.Write(e.Message + "\n");
            status = 1;
        }

        output.Check();
        error.Check();
        return status;
    }
}
