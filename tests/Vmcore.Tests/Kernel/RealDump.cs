using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;

namespace Vmcore.Tests.Kernel;

/// <summary>A raw ELF dump opened as the program opens it, up to the kernel's address space.</summary>
internal sealed class RealDump : IDisposable
{
    private readonly FileSource _source;

    public RealDump(string path)
    {
        _source = FileSource.Open(path);
        ElfCoreFile file = ElfCoreFile.Open(_source);
        ElfNote note = file.Notes.Single(n => n.Name == "VMCOREINFO");
        Info = VmcoreInfo.Parse(note.Descriptor(file.NoteArea.Span));
        CrashedKernel? kernel = CrashedKernel.TryOpen(new ElfMemory(file, 12), Info, Architecture.Of(file.Machine, "")!, file.Loads, out string? problem);
        Assert.Null(problem);
        Memory = kernel!.Memory;
        Text = file.Loads.Where(l => l.VirtualAddress >= 0xffffffff80000000).Select(l => (l.VirtualAddress, l.VirtualAddress + l.MemorySize)).First();
    }

    public VmcoreInfo Info { get; }

    public IVirtualMemory Memory { get; }

    /// <summary>Virtual addresses of the PT_LOAD with the kernel's image, half-open.</summary>
    public (ulong Start, ulong End) Text { get; }

    public void Dispose() => _source.Dispose();
}
