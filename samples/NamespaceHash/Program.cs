using Vmcore;
using Vmcore.Pmem;

// SHA-256 of what each namespace keeps for itself on the pmem, to compare with another dump, or with the media. Usage: NamespaceHash DUMP

using CrashDump dump = CrashDump.Open(args[0]);
foreach (PmemNamespace item in dump.Pmem.Namespaces)
    Console.WriteLine($"{MetadataHash.Compute(dump.Memory, item) ?? "not in the dump"}  {item.Name ?? $"0x{item.Range.Start:x}"}");
