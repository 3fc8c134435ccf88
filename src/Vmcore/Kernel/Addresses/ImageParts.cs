using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;

namespace Vmcore.Kernel.Addresses;

/// <summary>The parts of the kernel's image, by the symbols that its linker script puts around them.</summary>
internal sealed class ImageParts(KernelSymbols symbols)
{
    // What lies in each other: the narrower first.
    private static readonly string[] s_names =
    [
        "_sinittext", "_einittext", "init code", "__init_begin", "__init_end", "init memory",
        "_stext", "_etext", "code", "__start_rodata", "__end_rodata", "read-only data", "__bss_start", "__bss_stop", "data (bss)", "_sdata", "_edata", "data",
        "_text", "_end", "image",
    ];

    private readonly ulong?[] _bounds = symbols.FindInImage([.. s_names.Where(static (n, i) => i % 3 != 2)]);

    /// <summary>The part that an address is in; null if it is in none.</summary>
    internal string? Of(ulong address)
    {
        for (int i = 0; i < s_names.Length / 3; i++)
        {
            if (address >= _bounds[2 * i] && address < _bounds[(2 * i) + 1])
                return s_names[(3 * i) + 2];
        }

        return null;
    }
}

/// <summary>The parts of a module.</summary>
/// <remarks>Source: include/linux/module.h (enum mod_mem_type since 6.4; struct module_layout before).</remarks>
internal static class ModuleParts
{
    private static readonly string[] s_kinds =
        ["code", "data", "read-only data", "data that is read-only after the start", "code of the start", "data of the start", "read-only data of the start"];

    /// <summary>The part that an address is in; null if that cannot be told.</summary>
    internal static string? Of(KernelModule module, ulong address)
    {
        try
        {
            KernelObject item = module.Object;
            if (item.Type.FindMember("mem") is { } memories && memories.Type.Underlying().Kind == KernelTypeKind.Array)
            {
                for (int i = 0; i < Math.Min(s_kinds.Length, memories.Type.Underlying().Length ?? 0); i++)
                {
                    KernelObject part = item.Member("mem").Element(i);
                    if (address - part.Member("base").AsUInt64() < part.Member("size").AsUInt64())
                        return s_kinds[i];
                }

                return null;
            }

            if (item.Type.FindMember("core_layout") is null)
                return null;
            foreach (string name in (ReadOnlySpan<string>)["core_layout", "init_layout"])
            {
                KernelObject layout = item.Member(name);
                ulong distance = unchecked(address - layout.Member("base").AsUInt64());
                if (layout.Member("base").AsUInt64() == 0 || distance >= layout.Member("size").AsUInt64())
                    continue;
                string kind = distance < layout.Member("text_size").AsUInt64() ? "code" : distance < layout.Member("ro_size").AsUInt64() ? "read-only data"
                    : "data";
                return name == "core_layout" ? kind : kind + " of the start";
            }
        }
        catch (KernelObjectException)
        {
            // Then only that it is of the module is told.
        }

        return null;
    }
}
