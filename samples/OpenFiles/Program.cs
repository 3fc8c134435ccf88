using Vmcore;
using Vmcore.Kernel.Vfs;

// Lists the open files of every process: number, name, descriptor, path. Usage: OpenFiles DUMP

using CrashDump dump = CrashDump.Open(args[0]);
KernelVfs vfs = dump.OpenVfs();
foreach (var process in dump.KernelView.RequireTasks().Tasks.Where(t => t.Pid == t.Tgid))
{
    foreach (OpenFile file in vfs.FilesOf(process))
    {
        // A pipe or a socket has no path; it goes by the kind of its file system, and its number.
        string path = file.Path is { IsMounted: true, Text: { } text } ? text : $"{file.Inode?.SuperBlock?.Type}:[{file.Inode?.Number}]";
        Console.WriteLine($"{process.Pid,7} {process.Name,-16} {file.Descriptor,4} {path}");
    }
}
