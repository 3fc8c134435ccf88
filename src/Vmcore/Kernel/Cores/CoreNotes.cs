using System.Buffers.Binary;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Processes;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vfs;

namespace Vmcore.Kernel.Cores;

/// <summary>The notes of a core file of a process (include/uapi/linux/elfcore.h; those of 64 bits are alike on all architectures), little-endian.</summary>
internal static class CoreNotes
{
    private const string Owner = "CORE";
    private const uint ProcessInfo = 3, AuxiliaryVectorType = 6, FilesType = 0x46494c45;

    /// <summary>The descriptor of NT_PRSTATUS: a thread's number and registers.</summary>
    internal static byte[] Status(KernelView kernel, KernelTask thread, CpuRegisters registers, List<Finding> problems)
    {
        RegisterSet set = kernel.RequireKernel().Architecture.Registers;
        int words = Math.Max(set.CoreWords, set.Names.Length);
        byte[] note = new byte[set.NoteOffset + (words * sizeof(ulong)) + sizeof(ulong)];
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(32), thread.Pid);
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(36), thread.ParentPid);
        registers.CopyTo(note.AsSpan(set.NoteOffset));
        for (int i = 0; i < set.ThreadMembers.Length; i++)
        {
            // Of a task that runs the CPU has the value, which is in no dump.
            if (!thread.IsOnCpu && TryNumber(thread.Object, "thread", set.ThreadMembers[i]) is { } value)
                BinaryPrimitives.WriteUInt64LittleEndian(note.AsSpan(set.NoteOffset + ((set.Names.Length + i) * sizeof(ulong))), value);
            else
                problems.Add(new(FindingCode.RegistersMissing, $"{set.ThreadMembers[i]} of thread {thread.Pid} is not known, and 0 in the core file"));
        }

        return note;
    }

    /// <summary>NT_PRPSINFO: state, owner, name and the beginning of the command line.</summary>
    internal static byte[] Process(KernelView kernel, KernelTask process, ProcessMemory memory)
    {
        const int Name = 40, NameBytes = 16, Arguments = 56, ArgumentBytes = 80;
        byte[] info = new byte[Arguments + ArgumentBytes];
        info[0] = (byte)Math.Max("RSDTZW".IndexOf(process.State, StringComparison.Ordinal), 0);
        info[1] = (byte)process.State;
        info[2] = (byte)(process.State == 'Z' ? 1 : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(info.AsSpan(8), TryNumber(process.Object, "flags") ?? 0);
        BinaryPrimitives.WriteUInt32LittleEndian(info.AsSpan(16), (uint)(TryNumber(process.Object, "cred", "uid", "val") ?? uint.MaxValue));
        BinaryPrimitives.WriteUInt32LittleEndian(info.AsSpan(20), (uint)(TryNumber(process.Object, "cred", "gid", "val") ?? uint.MaxValue));
        BinaryPrimitives.WriteInt32LittleEndian(info.AsSpan(24), process.Tgid);
        BinaryPrimitives.WriteInt32LittleEndian(info.AsSpan(28), process.ParentPid);
        Copy(process.Name, info.AsSpan(Name, NameBytes - 1));
        Copy(string.Join(' ', memory.TryReadArguments() ?? [process.Name]), info.AsSpan(Arguments, ArgumentBytes - 1));
        return ElfNotes.Build(Owner, ProcessInfo, info);

        static void Copy(string text, Span<byte> bytes)
        {
            byte[] all = Encoding.UTF8.GetBytes(text);
            all.AsSpan(0, Math.Min(all.Length, bytes.Length)).CopyTo(bytes);
        }
    }

    /// <summary>NT_AUXV, as the kernel keeps it for the process; nothing if it cannot be read.</summary>
    internal static byte[] AuxiliaryVector(ProcessMemory memory, List<Finding> problems)
    {
        try
        {
            byte[] all = memory.Map["saved_auxv"].ReadBytes();
            int end = 0;

            // Pairs up to AT_NULL, which is one of them.
            while (end + 16 <= all.Length && BinaryPrimitives.ReadUInt64LittleEndian(all.AsSpan(end)) != 0)
                end += 16;
            return ElfNotes.Build(Owner, AuxiliaryVectorType, all.AsSpan(0, Math.Min(end + 16, all.Length)));
        }
        catch (KernelObjectException e)
        {
            problems.Add(new(FindingCode.ProcessMemoryMissing, $"the auxiliary vector is not known: {e.Message}"));
            return [];
        }
    }

    /// <summary>NT_FILE: which files are mapped where. A file without a name is left out, with a word on it.</summary>
    internal static byte[] Files(ProcessMemory memory, KernelVfs vfs, ulong pageSize, List<Finding> problems)
    {
        List<(MemoryArea Area, string Path)> files = [];
        foreach (MemoryArea area in memory.Areas.Where(static a => a.File != 0))
        {
            if (vfs.PathOfFile(area.File).Text is { } path)
                files.Add((area, path));
            else
                problems.Add(new(FindingCode.FilesNameless, $"the file that is mapped at 0x{area.Start:x} has no name in the dump"));
        }

        using var note = new MemoryStream();
        Put((ulong)files.Count);
        Put(pageSize);
        foreach ((MemoryArea area, _) in files)
        {
            Put(area.Start);
            Put(area.End);
            Put(area.Offset / pageSize);
        }

        foreach ((_, string path) in files)
            note.Write(Encoding.UTF8.GetBytes(path + "\0"));
        return ElfNotes.Build(Owner, FilesType, note.ToArray());

        void Put(ulong value)
        {
            Span<byte> word = stackalloc byte[sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(word, value);
            note.Write(word);
        }
    }

    private static ulong? TryNumber(KernelObject item, params ReadOnlySpan<string> path)
    {
        try
        {
            foreach (string name in path)
                item = item[name];
            return item.AsUInt64();
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }
}
