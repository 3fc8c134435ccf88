using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Tests.Kernel;

/// <summary>Builds a kernel image that holds nothing but kallsyms, in any of the encodings and orders that kernels use.</summary>
internal sealed class KallsymsImage
{
    /// <summary>Run-time address of the image, _text and _stext.</summary>
    public const ulong Base = 0xffffffff_aa200000;

    private const int Gap = 48;
    private static readonly string[] s_long = ["sys_", "init", "T__x64_", "_table", "tun", "alloc", "Tfunc", "_ops", "ex", "page", "vmem", "static"];

    private readonly Dictionary<string, ulong> _keys = [];
    private readonly MemoryStream _image = new();

    private KallsymsImage()
    {
    }

    /// <summary>The image's bytes, to be put at <see cref="Base"/>.</summary>
    public byte[] Bytes => _image.ToArray();

    /// <summary>Offset in the image of a table.</summary>
    public int OffsetOf(string key) => (int)(_keys[key] - Base);

    /// <summary>Symbols as a small kernel has them: per-cpu offsets if wanted, text with aliases, data; in ascending order.</summary>
    public static List<KernelSymbol> Symbols(int count, bool perCpu, params KernelSymbol[] more)
    {
        List<KernelSymbol> symbols = [.. more, new(Base, 'T', "_text"), new(Base, 'T', "_stext"), new(Base + 0x10, 't', "alloc_init_page")];
        if (perCpu)
            symbols.AddRange([new(0, 'A', "fixed_percpu_data"), new(0, 'A', "__per_cpu_start"), new(0x1000, 'A', "cpu_debug_store")]);
        for (int i = symbols.Count; i < count; i++)
            symbols.Add(new(Base + 0x100 + (16 * (ulong)(i / 2)), "tTdDrRbB"[i % 8],
                string.Create(CultureInfo.InvariantCulture, $"func_{i % 700}_{(i % 3 == 0 ? "sys_ops" : "init")}")));
        return [.. symbols.OrderBy(s => s.Address)];
    }

    public static KallsymsImage Build(IReadOnlyList<KernelSymbol> symbols, KallsymsEncoding encoding, bool oldOrder)
    {
        var image = new KallsymsImage();
        image.Pad(0x40);
        byte[][] tokens = Tokens();
        void Offsets()
        {
            if (encoding == KallsymsEncoding.Absolute)
                image.Table("kallsyms_addresses", [.. symbols.SelectMany(s => BitConverter.GetBytes(s.Address))]);
            else
                image.Table("kallsyms_offsets", OffsetsOf(symbols, encoding, Base + (ulong)image._image.Length));
            if (encoding is KallsymsEncoding.AbsolutePerCpu or KallsymsEncoding.BaseRelative)
                image.Table("kallsyms_relative_base", BitConverter.GetBytes(Base));
        }

        if (oldOrder)
            Offsets();
        image.Table("kallsyms_num_syms", BitConverter.GetBytes(symbols.Count));
        byte[][] records = [.. symbols.Select(s => Record(tokens, $"{s.Type}{s.Name}"))];
        image.Table("kallsyms_names", [.. records.SelectMany(static r => r)]);
        image.Table("kallsyms_markers", Markers(records));
        if (!oldOrder)
            image.Table("kallsyms_seqs_of_names", new byte[3 * symbols.Count]);
        image.Table("kallsyms_token_table", [.. tokens.SelectMany(t => t.Append((byte)0))]);
        image.Table("kallsyms_token_index", Index(tokens));
        if (!oldOrder)
            Offsets();
        image.Pad(Gap);
        foreach (KernelSymbol anchor in symbols.Where(static s => s.Name is "init_uts_ns"))
            image._keys[anchor.Name] = anchor.Address;
        return image;
    }

    /// <summary>vmcoreinfo that points to the tables.</summary>
    public VmcoreInfo Info(params string[] without) => Info(Base, without);

    public VmcoreInfo Info(ulong stext, params string[] without)
    {
        IEnumerable<string> lines = _keys.Append(new("_stext", stext))
            .Where(k => k.Key is not ("kallsyms_markers" or "kallsyms_seqs_of_names") && !without.Contains(k.Key, StringComparer.Ordinal))
            .Select(k => string.Create(CultureInfo.InvariantCulture, $"SYMBOL({k.Key})={k.Value:x}\n"));
        return VmcoreInfo.Parse(Encoding.ASCII.GetBytes("OSRELEASE=6.9.0\n" + string.Concat(lines)));
    }

    private static byte[][] Tokens()
    {
        byte[][] tokens = new byte[256][];
        for (int i = 0; i < 256; i++)
            tokens[i] = i is > 0x20 and < 0x7f ? [(byte)i] : i >= 0x80 && i - 0x80 < s_long.Length ? Encoding.ASCII.GetBytes(s_long[i - 0x80]) : [];
        return tokens;
    }

    private static byte[] Record(byte[][] tokens, string text)
    {
        List<byte> record = [];
        ReadOnlySpan<byte> rest = Encoding.ASCII.GetBytes(text);
        while (!rest.IsEmpty)
        {
            int best = rest[0];
            for (int i = 0x80; i < 256; i++)
            {
                if (tokens[i].Length > tokens[best].Length && rest.StartsWith(tokens[i]))
                    best = i;
            }

            record.Add((byte)best);
            rest = rest[tokens[best].Length..];
        }

        return record.Count < 128 ? [(byte)record.Count, .. record] : [(byte)(record.Count & 0x7f | 0x80), (byte)(record.Count >> 7), .. record];
    }

    private static byte[] Markers(byte[][] records)
    {
        List<byte> markers = [];
        int at = 0;
        for (int i = 0; i < records.Length; i++)
        {
            if (i % 256 == 0)
                markers.AddRange(BitConverter.GetBytes(at));
            at += records[i].Length;
        }

        return [.. markers];
    }

    private static byte[] Index(byte[][] tokens)
    {
        byte[] index = new byte[512];
        int at = 0;
        for (int i = 0; i < 256; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(index.AsSpan(2 * i), (ushort)at);
            at += tokens[i].Length + 1;
        }

        return index;
    }

    private static byte[] OffsetsOf(IReadOnlyList<KernelSymbol> symbols, KallsymsEncoding encoding, ulong table)
    {
        table = (table + 7) & ~7UL;
        byte[] bytes = new byte[4 * symbols.Count];
        for (int i = 0; i < symbols.Count; i++)
        {
            ulong address = symbols[i].Address;
            ulong value = encoding switch
            {
                KallsymsEncoding.AbsolutePerCpu when address < Base => address,
                KallsymsEncoding.AbsolutePerCpu => Base - 1 - address,
                KallsymsEncoding.BaseRelative => address - Base,
                _ => address - (table + (4 * (ulong)i)),
            };
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), unchecked((uint)value));
        }

        return bytes;
    }

    private void Table(string key, byte[] bytes)
    {
        Pad((int)(-_image.Length & 7));
        _keys[key] = Base + (ulong)_image.Length;
        _image.Write(bytes);
    }

    private void Pad(int length) => _image.Write(new byte[length]);
}
