namespace Vmcore.Findings;

/// <summary>The words for each <see cref="FindingCode"/>: the only place that has them.</summary>
internal static class FindingText
{
    /// <summary>The sentence, with the number of a parameter in braces where it stands.</summary>
    internal static string Of(FindingCode code) => code switch
    {
        FindingCode.StreamTruncated => "{0}: the flattened stream ends without its end record: it is truncated",
        FindingCode.PartsMissing => "{0}: a part of a split dump, of which others are missing: it has page frames {1}, of {2} in all; name all of "
            + "its files, or join them with makedumpfile --reassemble",
        FindingCode.FileShrank => "{0}: the file became shorter while it was read",
        FindingCode.Incomplete => "{0}: the dump is not complete: it is marked so, or was cut short",
        FindingCode.PagesOutsideFile => "{0}: pages that the dump should have are not in the file: it was cut short or damaged ('vmcore verify' says where)",
        FindingCode.PagesUnreadable => "{0}",
        FindingCode.SegmentImpossible => "{0}: program header {1}: physical range 0x{2:x} + 0x{3:x} lies beyond 2^52; ignored",
        FindingCode.SegmentTooLarge => "{0}: program header {1}: 0x{2:x} bytes of memory without content, beyond 0x{3:x} in all: taken for no memory",
        FindingCode.SegmentTruncated => "{0}: program header {1}: file range 0x{2:x} + 0x{3:x} goes beyond the end of the file (0x{4:x}); "
            + "the file is truncated",
        FindingCode.SegmentsShareBytes => "{0}: PT_LOADs give {1} bytes more than the file has, by naming the same bytes for several "
            + "addresses; those are not read",
        FindingCode.NotesOutsideFile => "{0}: PT_NOTE at 0x{1:x} lies beyond the end of the file (0x{2:x})",
        FindingCode.NotesTooMany => "{0}: PT_NOTE at 0x{1:x}: more than {2} notes in all; ignored",
        FindingCode.NotesTruncated => "{0}: PT_NOTE at 0x{1:x}: {2} of {3} bytes can be read",
        FindingCode.NotesDamaged => "{0}: PT_NOTE at 0x{1:x}: {2}",
        FindingCode.KdumpNotesDamaged => "{0}: {1}",
        FindingCode.NoteSteppedOver => "{0}: note '{1}' of type 0x{2:x} at 0x{3:x}: {4} bytes, the dump of a device: it is stepped over, "
            + "and is not in what is written of this dump",
        FindingCode.MoreOfTheFile => "{0}: {1} more faults of this kind",
        FindingCode.VmcoreInfoTooLong => "{0}: vmcoreinfo: {1} bytes; only the first {2} are read",
        FindingCode.PageSizeImpossible => "{0}: vmcoreinfo: PAGESIZE is {1}, but {2} has pages of {3} bytes; ignored",
        FindingCode.KernelNotLocated => "{0}: {1}",
        FindingCode.KernelDoubtful => "{0}: {1}",
        FindingCode.ImageNotMemory => "{0}: nothing from 0x{1:x} to 0x{2:x} is RAM or pmem of the kernel: it is left out. Is its address right?",
        FindingCode.ImageLacksMemory => "{0}: {1} bytes of the kernel's memory are not in the image",
        FindingCode.KernelSearchEnded => "{0}: {1} notes of vmcoreinfo were tried, and no more: another kernel may describe itself behind them",
        FindingCode.XenDump => "{0}: a dump of a Xen hypervisor; those are not read: what follows takes machine frames for the kernel's own, "
            + "and may be wrong",
        FindingCode.ResourcesCutShort => "the kernel's resource tree is cut short, and may have had more memory or devices: {0}",
        FindingCode.SlabUnknown => "0x{0:x}: which slab cache it is of cannot be told: {1}",
        FindingCode.LogUnreadable => "{0} messages cannot be read: where they should be is not in the dump, damaged, or user data on pmem",
        FindingCode.LogDamaged => "{0}",
        FindingCode.LogClearUnknown => "{0}",
        FindingCode.TasksIncomplete => "{0}",
        FindingCode.MappingsIncomplete => "{0}",
        FindingCode.FilesNotFound => "{0}",
        FindingCode.FilesListBroken => "{0}",
        FindingCode.FilesUnreadable => "{0}",
        FindingCode.FilesNameless => "{0}",
        FindingCode.CrashStateUnknown => "{0}",
        FindingCode.PagesNotClassified => "{0}",
        FindingCode.CrashCauseUnknown => "what the kernel died of cannot be told: {0}",
        FindingCode.CrashPathFromLog => "where it died is what the log says, not the stack: {0}",
        FindingCode.CrashLogDisagrees => "the log says that it died in {0}, the registers in the dump say {1}",
        FindingCode.SignaturePartial => "the signature is partial: {0}",
        FindingCode.KernelNotFound => "{0}",
        FindingCode.SymbolsMissing => "{0}",
        FindingCode.SymbolsIncomplete => "{0}",
        FindingCode.SymbolNotFound => "no symbol {0}",
        FindingCode.TypesMissing => "{0}",
        FindingCode.TasksMissing => "{0}",
        FindingCode.RegistersMissing => "{0}",
        FindingCode.StackIncomplete => "{0}",
        FindingCode.ModulesIncomplete => "{0}",
        FindingCode.ModuleUsersUnknown => "{0}",
        FindingCode.ModuleSymbolsMissing => "symbols of the module {0} cannot be read",
        FindingCode.AllModuleSymbolsMissing => "the symbols of modules cannot be read",
        FindingCode.LogMessagesLost => "{0} messages or pieces of the log could not be read",
        FindingCode.LogTimesRelative => "times are in seconds since boot: neither vmcoreinfo nor the kernel's clock says what time it was",
        FindingCode.ValueTooLarge => "the value is larger, or its types are more deeply nested, than any of a kernel; '...' stands for the rest",
        FindingCode.TypesTooLarge => "the types are larger than any of a kernel; '...' stands for the rest",
        FindingCode.BytesUnreadable => "{0} of {1} bytes cannot be read: {2}",
        FindingCode.StringUnreadable => "the string goes on at 0x{0:x}, which cannot be read: {1}",
        FindingCode.PageUnknown => "{0}",
        FindingCode.PmemInfoBlockInvalid => "pmem: the info block at 0x{0:x} is not valid: {1}",
        FindingCode.PmemInfoBlockStale => "pmem: an info block at 0x{0:x} claims {1}, which overlaps the namespace at 0x{2:x}; it is taken for a stale one",
        FindingCode.PmemByInfoBlock => "pmem: no vmcoreinfo and no flag says so, but an info block at 0x{0:x} does: {1} is taken for pmem",
        FindingCode.PmemOnlyFlagged => "pmem: pfn {0} is in a PT_LOAD flagged as device memory, but the kernel's resource tree names no "
            + "pmem there; taken for pmem",
        FindingCode.PmemMemmapNotFound => "pmem: the memmap cannot be located, so no page of it can be proven live: only user data is assumed, "
            + "and all pmem is left out",
        FindingCode.PmemTablesMissing => "pmem: {0} page tables of the memmap are not in the dump: metadata that they map cannot be known and is left out",
        FindingCode.PmemTablesTooMany => "pmem: the page tables of the memmap have more than {0} entries, which is damage: the rest of the "
            + "metadata is left out",
        FindingCode.PmemTablesFragmented => "pmem: the page tables of the memmap are fragmented beyond {0} runs, which is damage: the rest of "
            + "the metadata is left out",
        FindingCode.PmemListUnusable => "pmem: vmcoreinfo names the kernel's list of memmaps, but its SIZE and OFFSET keys are absent or "
            + "impossible; the list is not used",
        FindingCode.PmemListUnreadable => "pmem: the head of the kernel's list of memmaps at 0x{0:x} cannot be read",
        FindingCode.PmemListBroken => "pmem: the kernel's list of memmaps is damaged: entry {0} at 0x{1:x} cannot be read",
        FindingCode.PmemListCyclic => "pmem: the kernel's list of memmaps is damaged: it comes back to 0x{0:x} after {1} entries instead of to its head",
        FindingCode.PmemListNoRange => "pmem: the kernel's list of memmaps: entry at 0x{0:x} names pfn {1}, which is no range; ignored",
        FindingCode.PmemNotListed => "pmem: the page tables have live memmap at pfn {0}, the kernel's list does not name it; it is metadata",
        FindingCode.PmemListDiffers => "pmem: the info block at 0x{0:x} reserves pfn {1}, the kernel's list has {2}; the page tables decide",
        FindingCode.PmemListedElsewhere => "pmem: the kernel's list names pfn {0}, but no namespace with a valid info block is there; the page tables decide",
        FindingCode.PmemMemmapOutside => "pmem: the page tables have live memmap at pfn {0}, the info block at 0x{1:x} reserves pfn {2}; the "
            + "page tables decide",
        FindingCode.PmemMetadataMissing => "pmem: {0} at {1}: {2} of {3} metadata pages are not in the dump",
        FindingCode.PmemMemmapOverwritten => "pmem: {0} at {1}: its memmap was written anew after the crash (a pmem driver ran in the capture "
            + "kernel): its struct pages are not those of the crash",
        FindingCode.MoreOfPmem => "pmem: {0} more findings",
        FindingCode.UsageUnknown => "{0}",
        FindingCode.UsageWithoutNames => "files and processes cannot be named: {0}",
        FindingCode.UsageDamaged => "{0} at {1}: {2}",
        FindingCode.UsageIncomplete => "{0}",
        FindingCode.UsageTablesMissing => "{0} page tables of processes that map pmem are not in the dump; "
            + "pages may have been mapped of which nothing is known",
        FindingCode.UsageTablesTooLarge => "the page tables of processes that map pmem are too large to be walked whole; the rest is left out",
        FindingCode.UsageTooMuch => "more than {0} mappings of pmem; the rest is left out",
        FindingCode.MemoryCountersIncomplete => "{0}",
        FindingCode.SectionIncomplete => "{0}: {1}",
        FindingCode.TaskTimesUnknown => "how long tasks had been in their state cannot be told: {0}",
        FindingCode.LocksUnproven => "{0}",
        FindingCode.RunQueueIncomplete => "{0}",
        FindingCode.ExpressionFailed => "{0}",
        FindingCode.ProcessMemoryMissing => "{0}",
        _ => code.ToString(),
    };
}
