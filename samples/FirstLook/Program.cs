// The program of the package's README: tasks, a structure of the kernel, the stack of the panic. Usage: FirstLook DUMP

using Vmcore;
using Vmcore.Kernel.Stacks;

using CrashDump dump = CrashDump.Open(args[0]);

foreach (var task in dump.KernelView.RequireTasks().Tasks)
    Console.WriteLine($"{task.Pid} {task.State} {task.Name}");

Console.WriteLine($"modules: next 0x{dump.Evaluate("modules.next").AsUInt64():x}");

KernelStacks stacks = dump.LoadStacks();
foreach (var frame in stacks.Trace(stacks.Crashing!).Frames)
    Console.WriteLine(dump.Symbols!.TryResolve(frame.Address, out var symbol, out ulong offset) ? $"{symbol.Name}+0x{offset:x}" : $"0x{frame.Address:x}");
