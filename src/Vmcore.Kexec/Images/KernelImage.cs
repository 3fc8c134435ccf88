using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Vmcore.IO;

namespace Vmcore.Kexec;

/// <summary>A Linux x86-64 kernel in the bzImage format, as file, compressed by gzip, or inside a unified kernel image.</summary>
public sealed class KernelImage
{
    private const int HeaderStart = 0x1f1;

    // Up to the end of the fields that are read.
    private const int HeadSize = 0x268;
    private static ReadOnlySpan<byte> GzipMagic => [0x1f, 0x8b];
    private readonly ReadOnlyMemory<byte> _image;

    private KernelImage(string file, ReadOnlyMemory<byte> image, string form, ReadOnlyMemory<byte> initrd)
    {
        File = file;
        _image = image;
        Form = form;
        EmbeddedInitrd = initrd;
    }

    /// <summary>Name of the file.</summary>
    public string File { get; }

    /// <summary>What the file is: <c>bzImage</c>, <c>bzImage.gz</c>, <c>UKI</c>.</summary>
    public string Form { get; }

    /// <summary>True if the file itself is what kexec_file_load takes: its signature, if there is one, stays usable.</summary>
    public bool IsPlainFile => Form == "bzImage";

    /// <summary>The bzImage.</summary>
    public ReadOnlyMemory<byte> Image => _image;

    /// <summary>The initramfs of a unified kernel image; empty if there is none.</summary>
    public ReadOnlyMemory<byte> EmbeddedInitrd { get; }

    /// <summary>Version of the boot protocol, for example 0x20f.</summary>
    public int ProtocolVersion => Read16(0x206);

    /// <summary>Release text inside the image, for example <c>6.12.0-1-amd64</c>; empty if there is none.</summary>
    public string Release
    {
        get
        {
            int at = Read16(0x20e) + 0x200;
            if (at == 0x200 || at >= _image.Length)
                return "";
            ReadOnlySpan<byte> text = _image.Span.Slice(at, Math.Min(256, _image.Length - at));
            int end = text.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7e);
            return Encoding.ASCII.GetString(end < 0 ? text : text[..end]);
        }
    }

    /// <summary>Bytes in front of the part that runs: boot sector and real-mode code.</summary>
    public int SetupSize => ((Byte(HeaderStart) == 0 ? 4 : Byte(HeaderStart)) + 1) * 512;

    /// <summary>The part that runs, from its 32-bit entry on.</summary>
    public ReadOnlyMemory<byte> ProtectedMode => _image[SetupSize..];

    /// <summary>The setup header, to be copied to offset 0x1f1 of boot_params.</summary>
    public ReadOnlyMemory<byte> SetupHeader => _image.Slice(HeaderStart, 0x202 + Byte(0x201) - HeaderStart);

    /// <summary>Bytes of memory that the kernel needs until it knows its own memory map.</summary>
    public ulong InitSize => Read32(0x260);

    /// <summary>Physical address at which it likes to run, and below which it never does.</summary>
    public ulong PreferredAddress => BinaryPrimitives.ReadUInt64LittleEndian(_image.Span[0x258..]);

    /// <summary>Alignment of its place, in bytes; a power of two of at least 4096.</summary>
    public ulong Alignment => Read32(0x230);

    /// <summary>True if it runs at any aligned place.</summary>
    public bool IsRelocatable => Byte(0x234) != 0;

    /// <summary>True if it can go on with EFI runtime services that another kernel has set up (XLF_EFI_KEXEC).</summary>
    public bool TakesEfi => (Read16(0x236) & 0x10) != 0;

    /// <summary>Longest command line in bytes, without the NUL.</summary>
    public int CommandLineLimit => (int)Math.Min(Read32(0x238), 2047u);

    /// <summary>Reads and checks a file.</summary>
    /// <exception cref="KexecException">It cannot be read, or is no such kernel.</exception>
    public static KernelImage Open(string file)
    {
        ImageBuffer content = InputFile.Read(file, "kernel");
        KernelImage? kernel = null;
        try
        {
            return kernel = Parse(file, content.Memory);
        }
        finally
        {
            // What was unpacked has memory of its own.
            if (kernel is null || !kernel.IsPartOf(content))
                ((IDisposable)content).Dispose();
        }
    }

    /// <summary>Reads an initramfs.</summary>
    /// <exception cref="KexecException">It cannot be read, or is longer than 1 GiB.</exception>
    public static ReadOnlyMemory<byte> ReadInitramfs(string file) => InputFile.Read(file, "initramfs").Memory;

    /// <summary>Checks the content of a file.</summary>
    /// <exception cref="KexecException">It is no such kernel.</exception>
    public static KernelImage Parse(string file, ReadOnlyMemory<byte> content)
    {
        string form = "bzImage";
        if (content.Span.StartsWith(GzipMagic))
        {
            content = Decompress(file, content);
            form = "bzImage.gz";
        }

        if (IsBzImage(content.Span))
            return Check(new(file, content, form, default));
        if (content.Span.StartsWith("MZ"u8) && PeSections.Find(content, ".linux") is { } linux)
        {
            if (linux.Span.StartsWith(GzipMagic))
                linux = Decompress(file, linux);
            if (IsBzImage(linux.Span))
                return Check(new(file, linux, "UKI", PeSections.Find(content, ".initrd") ?? default));
        }

        throw NotKernel(file, content.Span);
    }

    private static KexecException NotKernel(string file, ReadOnlySpan<byte> content)
    {
        string what = content.StartsWith((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F']) ? "an ELF file (vmlinux?)" : "not a Linux kernel";
        return new($"Cannot load {file}: it is {what}; give a bzImage, usually /boot/vmlinuz-RELEASE.");
    }

    private static bool IsBzImage(ReadOnlySpan<byte> content) =>
        content.Length > HeadSize && BinaryPrimitives.ReadUInt16LittleEndian(content[0x1fe..]) == 0xaa55 && content[0x202..].StartsWith("HdrS"u8);

    private static KernelImage Check(KernelImage kernel)
    {
        string? fault = kernel.ProtocolVersion < 0x20c ? $"its boot protocol 0x{kernel.ProtocolVersion:x} is older than 0x20c (Linux 3.8)"
            : (kernel.Byte(0x211) & 1) == 0 ? "it is a zImage, which loads low"
            : (kernel.Read16(0x236) & 3) != 3 ? "it has no 64-bit entry that may lie above 4 GiB: it is a 32-bit kernel"
            : kernel.SetupSize >= kernel._image.Length || 0x202 + kernel.Byte(0x201) > 0x290 ? "its setup header is damaged"
            : kernel.InitSize < 4096 || kernel.InitSize > 1U << 30 ? $"its init_size 0x{kernel.InitSize:x} makes no sense"
            : kernel.PreferredAddress > 1UL << 46 ? $"its preferred address 0x{kernel.PreferredAddress:x} makes no sense"
            : kernel.Alignment < 4096 || kernel.Alignment > 1U << 30 || (kernel.Alignment & (kernel.Alignment - 1)) != 0 ? $"its alignment 0x{kernel.Alignment:x} makes no sense"
            : null;
        if (fault is not null)
            throw new KexecException($"Cannot load {kernel.File}: {fault}; give an x86-64 bzImage of Linux 3.8 or later.");
        // syssize, in units of 16 bytes: a signature may come behind it. What is cut off would be missed only after the panic.
        long whole = kernel.SetupSize + (kernel.Read32(0x1f4) * 16L);
        return whole <= kernel._image.Length
            ? kernel
            : throw new KexecException($"Cannot load {kernel.File}: it is truncated, {kernel._image.Length} bytes of {whole}; copy the kernel again.");
    }

    private static ReadOnlyMemory<byte> Decompress(string file, ReadOnlyMemory<byte> content)
    {
        // The last four bytes are the length, unless something comes behind. It is only a hint, so a wrong one may cost no memory.
        long hint = content.Length < 18 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(content.Span[^4..]);
        var output = new ImageBuffer(hint < content.Length * 16L ? hint : 0);
        bool isDone = false;
        try
        {
            using var gzip = new GZipStream(new ForwardStream(content), CompressionMode.Decompress);
            // What does not begin like a kernel is not worth the memory.
            if (!output.Append(gzip, HeadSize) && !IsBzImage(output.Memory.Span) && !output.Memory.Span.StartsWith("MZ"u8))
                throw NotKernel(file, output.Memory.Span);
            if (!output.Append(gzip, InputFile.Limit))
                throw new KexecException($"Cannot load {file}: it unpacks to more than 1 GiB; give a kernel.");
            isDone = true;
            return output.Memory;
        }
        catch (InvalidDataException e)
        {
            throw new KexecException($"Cannot load {file}: its gzip data are damaged; copy the kernel again.", 255, e);
        }
        finally
        {
            if (!isDone)
                ((IDisposable)output).Dispose();
        }
    }

    private bool IsPartOf(ImageBuffer buffer) =>
        buffer.GetSpan().Overlaps(_image.Span) || buffer.GetSpan().Overlaps(EmbeddedInitrd.Span);

    private byte Byte(int offset) => _image.Span[offset];

    private ushort Read16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_image.Span[offset..]);

    private uint Read32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_image.Span[offset..]);
}
