using System.Buffers.Binary;
using Vmcore.Findings;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Vfs;

/// <summary>A file that a process has open.</summary>
/// <param name="Descriptor">Its number in the process.</param>
/// <param name="Address">Virtual address of the struct file.</param>
/// <param name="Path">Its path; not mounted for pipes, sockets and the like.</param>
/// <param name="Inode">Its inode; null if that cannot be read.</param>
public sealed record OpenFile(int Descriptor, ulong Address, KernelPath Path, KernelInode? Inode);

/// <summary>The table of open files of a task (<c>struct fdtable</c>, include/linux/fdtable.h).</summary>
internal static class FileTable
{
    private const int Chunk = 512;

    /// <summary>The descriptors and the files behind them, ascending; ends early where the table cannot be read.</summary>
    /// <param name="task">The task.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="problems">Receives what cannot be read.</param>
    internal static IEnumerable<(int Descriptor, ulong File)> Of(KernelTask task, IVirtualMemory memory, ProblemList problems)
    {
        (ulong count, ulong array) = Table(task, problems);
        byte[] words = new byte[Chunk * sizeof(ulong)];
        for (ulong first = 0; first < count; first += Chunk)
        {
            int length = (int)Math.Min(Chunk, count - first) * sizeof(ulong);
            if (memory.Read(array + (first * sizeof(ulong)), words.AsSpan(0, length)) != MemoryStatus.Ok)
            {
                problems.Add(FindingCode.FilesUnreadable,
                    $"the table of open files of task {task.Pid} cannot be read at 0x{array + (first * sizeof(ulong)):x}");
                yield break;
            }

            for (int at = 0; at < length; at += sizeof(ulong))
            {
                if (BinaryPrimitives.ReadUInt64LittleEndian(words.AsSpan(at)) is var file && memory.IsKernelAddress(file))
                    yield return ((int)first + (at / sizeof(ulong)), file);
            }
        }
    }

    private static (ulong Count, ulong Array) Table(KernelTask task, ProblemList problems)
    {
        try
        {
            KernelObject files = task.Object.Member("files");
            if (files.AsUInt64() == 0)
                return (0, 0); // It has ended.
            KernelObject table = files.Dereference().Member("fdt").Dereference();
            return (Math.Min(table.Member("max_fds").AsUInt64(), table.Memory.Limits.FileDescriptors), table.Member("fd").AsUInt64());
        }
        catch (KernelObjectException e)
        {
            problems.Add(FindingCode.FilesUnreadable, $"the table of open files of task {task.Pid} cannot be read: {e.Message}");
            return (0, 0);
        }
    }
}
