using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vmcore.Kexec;

/// <summary>A Linux x86-64 kernel in the bzImage format (Documentation/arch/x86/boot.rst).</summary>
internal sealed class BzImage : KernelImage
{
    private const int HeaderStart = 0x1f1;

    // Up to the end of the fields that are read.
    private const int HeadSize = 0x268;

    private BzImage(string file, ReadOnlyMemory<byte> image, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd)
        : base(file, image, wrapping, initrd)
    {
    }

    /// <inheritdoc/>
    public override string Machine => X86_64Platform.Name;

    /// <inheritdoc/>
    public override string Format => "bzImage";

    /// <inheritdoc/>
    public override string Details => string.Create(CultureInfo.InvariantCulture, $"boot protocol 0x{ProtocolVersion:x}");

    /// <summary>Version of the boot protocol, for example 0x20f.</summary>
    public int ProtocolVersion => Read16(0x206);

    /// <inheritdoc/>
    public override string Release
    {
        get
        {
            int at = Read16(0x20e) + 0x200;
            if (at == 0x200 || at >= Image.Length)
                return "";
            ReadOnlySpan<byte> text = Image.Span.Slice(at, Math.Min(256, Image.Length - at));
            int end = text.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7e);
            return Encoding.ASCII.GetString(end < 0 ? text : text[..end]);
        }
    }

    /// <summary>Bytes in front of the part that runs: boot sector and real-mode code.</summary>
    public int SetupSize => ((Byte(HeaderStart) == 0 ? 4 : Byte(HeaderStart)) + 1) * 512;

    /// <inheritdoc/>
    /// <remarks>The part that runs in protected mode, from its 32-bit entry on.</remarks>
    public override ReadOnlyMemory<byte> Loaded => Image[SetupSize..];

    /// <summary>The setup header, to be copied to offset 0x1f1 of boot_params.</summary>
    public ReadOnlyMemory<byte> SetupHeader => Image.Slice(HeaderStart, 0x202 + Byte(0x201) - HeaderStart);

    /// <inheritdoc/>
    public override ulong InitSize => Read32(0x260);

    /// <summary>Physical address at which it likes to run, and below which it never does.</summary>
    public ulong PreferredAddress => BinaryPrimitives.ReadUInt64LittleEndian(Image.Span[0x258..]);

    /// <summary>Alignment of its place, in bytes; a power of two of at least 4096.</summary>
    public ulong Alignment => Read32(0x230);

    /// <summary>True if it runs at any aligned place.</summary>
    public bool IsRelocatable => Byte(0x234) != 0;

    /// <summary>True if it can go on with EFI runtime services that another kernel has set up (XLF_EFI_KEXEC).</summary>
    public bool TakesEfi => (Read16(0x236) & 0x10) != 0;

    /// <inheritdoc/>
    public override int CommandLineLimit => (int)Math.Min(Read32(0x238), 2047u);

    /// <summary>Reads the image; null if it is no bzImage.</summary>
    /// <inheritdoc cref="Platform.TryParseKernel"/>
    public static BzImage? TryParse(string file, ReadOnlyMemory<byte> content, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd) =>
        IsBzImage(content.Span) ? Check(new(file, content, wrapping, initrd)) : null;

    /// <summary>True if it begins like a bzImage.</summary>
    internal static bool IsBzImage(ReadOnlySpan<byte> content) =>
        content.Length > HeadSize && BinaryPrimitives.ReadUInt16LittleEndian(content[0x1fe..]) == 0xaa55 && content[0x202..].StartsWith("HdrS"u8);

    private static BzImage Check(BzImage kernel)
    {
        string? fault = kernel.ProtocolVersion < 0x20c ? $"its boot protocol 0x{kernel.ProtocolVersion:x} is older than 0x20c (Linux 3.8)"
            : (kernel.Byte(0x211) & 1) == 0 ? "it is a zImage, which loads low"
            : (kernel.Read16(0x236) & 3) != 3 ? "it has no 64-bit entry that may lie above 4 GiB: it is a 32-bit kernel"
            : kernel.SetupSize >= kernel.Image.Length || 0x202 + kernel.Byte(0x201) > 0x290 ? "its setup header is damaged"
            : kernel.InitSize < 4096 || kernel.InitSize > 1U << 30 ? $"its init_size 0x{kernel.InitSize:x} makes no sense"
            : kernel.PreferredAddress > 1UL << 46 ? $"its preferred address 0x{kernel.PreferredAddress:x} makes no sense"
            : kernel.Alignment < 4096 || kernel.Alignment > 1U << 30 || (kernel.Alignment & (kernel.Alignment - 1)) != 0
                ? $"its alignment 0x{kernel.Alignment:x} makes no sense"
            : null;
        if (fault is not null)
            throw new KexecException($"Cannot load {kernel.File}: {fault}; give an x86-64 bzImage of Linux 3.8 or later.");
        // syssize, in units of 16 bytes: a signature may come behind it. What is cut off would be missed only after the panic.
        long whole = kernel.SetupSize + (kernel.Read32(0x1f4) * 16L);
        return whole <= kernel.Image.Length
            ? kernel
            : throw new KexecException($"Cannot load {kernel.File}: it is truncated, {kernel.Image.Length} bytes of {whole}; copy the kernel again.");
    }

    private byte Byte(int offset) => Image.Span[offset];

    private ushort Read16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(Image.Span[offset..]);

    private uint Read32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(Image.Span[offset..]);
}
