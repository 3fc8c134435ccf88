using System.Globalization;
using System.Text;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Where the running kernel lies, in physical and in virtual memory.</summary>
/// <param name="Physical">Physical addresses from <c>_text</c> to <c>_end</c>, in bytes.</param>
/// <param name="Virtual">Virtual address of <c>_text</c>.</param>
public readonly record struct KernelTextRange(PhysicalRange Physical, ulong Virtual);

/// <summary>Reads the few symbols that the loader needs from /proc/kallsyms.</summary>
internal static class ProcKallsyms
{
    private static readonly string[] Wanted = ["_text", "_stext", "_end", "devm_memmap_vmcore_head"];

    /// <summary>The addresses of the symbols that the loader needs; symbols that the kernel hides (address 0) are left out.</summary>
    public static IReadOnlyDictionary<string, ulong> Read(SystemRoot root)
    {
        Dictionary<string, ulong> symbols = new(StringComparer.Ordinal);
        using FileStream? file = root.TryOpen("/proc/kallsyms");
        if (file is null)
            return symbols;
        // A hundred thousand lines and more: they are looked through as bytes, block by block, so that no line costs an object.
        byte[] block = new byte[1 << 16];
        int kept = 0;
        try
        {
            for (int count; symbols.Count < Wanted.Length && (count = file.Read(block, kept, block.Length - kept)) > 0;)
            {
                int end = kept + count, complete = block.AsSpan(0, end).LastIndexOf((byte)'\n') + 1;
                foreach (string name in Wanted)
                    Find(block.AsSpan(0, complete), name, symbols);
                // The rest of a line that is longer than a block is no symbol.
                kept = complete == 0 && end == block.Length ? 0 : end - complete;
                block.AsSpan(end - kept, kept).CopyTo(block);
            }
        }
        catch (IOException)
        {
            // What was read so far is right.
        }

        return symbols;
    }

    // A line is "ffffffff81000000 T _text", and for a symbol of a module the module's name in brackets behind a tab.
    private static void Find(ReadOnlySpan<byte> lines, string name, Dictionary<string, ulong> symbols)
    {
        Span<byte> wanted = stackalloc byte[64];
        int length = Encoding.ASCII.GetBytes($" {name}\n", wanted);
        int at = lines.IndexOf(wanted[..length]);
        if (at < 0 || symbols.ContainsKey(name))
            return;
        ReadOnlySpan<byte> line = lines[(lines[..at].LastIndexOf((byte)'\n') + 1)..at];
        int blank = line.IndexOf((byte)' ');
        if (blank > 0 && ulong.TryParse(line[..blank], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address)
            && address > 0)
        {
            symbols.Add(name, address);
        }
    }
}
