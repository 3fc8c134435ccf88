namespace Vmcore.Kexec;

/// <summary>How a kernel takes the struct pages of pmem from the pmem itself, when it populates the vmemmap (its <c>vmem_altmap</c>).</summary>
/// <param name="SectionSize">Bytes of a memory section; each is populated by itself.</param>
/// <param name="Block">Bytes of the blocks that hold the memmap of a whole section, each aligned to its size; 0 if those are base pages.</param>
/// <param name="HasPartialSections">True if the struct pages of a part of a section come from the pmem too, as base pages; false if they come from RAM.</param>
internal readonly record struct AltmapRules(ulong SectionSize, ulong Block, bool HasPartialSections);
