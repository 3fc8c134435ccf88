using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Vmcore.Kexec;

/// <summary>A Linux x86-64 kernel in the bzImage format, as file, compressed by gzip, or inside a unified kernel image.</summary>
public sealed class KernelImage
{
    private const int HeaderStart = 0x1f1;
    private readonly byte[] _image;

    private KernelImage(string file, byte[] image, string form, ReadOnlyMemory<byte> initrd)
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
            ReadOnlySpan<byte> text = _image.AsSpan(at, Math.Min(256, _image.Length - at));
            int end = text.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7e);
            return Encoding.ASCII.GetString(end < 0 ? text : text[..end]);
        }
    }

    /// <summary>Bytes in front of the part that runs: boot sector and real-mode code.</summary>
    public int SetupSize => ((_image[HeaderStart] == 0 ? 4 : _image[HeaderStart]) + 1) * 512;

    /// <summary>The part that runs, from its 32-bit entry on.</summary>
    public ReadOnlyMemory<byte> ProtectedMode => _image.AsMemory(SetupSize);

    /// <summary>The setup header, to be copied to offset 0x1f1 of boot_params.</summary>
    public ReadOnlyMemory<byte> SetupHeader => _image.AsMemory(HeaderStart, 0x202 + _image[0x201] - HeaderStart);

    /// <summary>Bytes of memory that the kernel needs until it knows its own memory map.</summary>
    public ulong InitSize => Read32(0x260);

    /// <summary>Physical address at which it likes to run, and below which it never does.</summary>
    public ulong PreferredAddress => BinaryPrimitives.ReadUInt64LittleEndian(_image.AsSpan(0x258));

    /// <summary>Alignment of its place, in bytes; a power of two of at least 4096.</summary>
    public ulong Alignment => Read32(0x230);

    /// <summary>True if it runs at any aligned place.</summary>
    public bool IsRelocatable => _image[0x234] != 0;

    /// <summary>Longest command line in bytes, without the NUL.</summary>
    public int CommandLineLimit => (int)Math.Min(Read32(0x238), 2047u);

    /// <summary>Reads and checks a file.</summary>
    /// <exception cref="KexecException">It cannot be read, or is no such kernel.</exception>
    public static KernelImage Open(string file) => Parse(file, InputFile.Read(file, "kernel"));

    /// <summary>Reads an initramfs.</summary>
    /// <exception cref="KexecException">It cannot be read, or is longer than 1 GiB.</exception>
    public static ReadOnlyMemory<byte> ReadInitramfs(string file) => InputFile.Read(file, "initramfs");

    /// <summary>Checks the content of a file.</summary>
    /// <exception cref="KexecException">It is no such kernel.</exception>
    public static KernelImage Parse(string file, byte[] content)
    {
        string form = "bzImage";
        if (content.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]))
        {
            content = Decompress(file, content);
            form = "bzImage.gz";
        }

        if (IsBzImage(content))
            return Check(new(file, content, form, default));
        if (content.AsSpan().StartsWith("MZ"u8) && PeSections.Find(content, ".linux") is { } linux)
        {
            byte[] inner = linux.ToArray();
            if (inner.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]))
                inner = Decompress(file, inner);
            if (IsBzImage(inner))
                return Check(new(file, inner, "UKI", PeSections.Find(content, ".initrd") ?? default));
        }

        string what = content.AsSpan().StartsWith("\x7f"u8.ToArray().AsSpan()) && content.AsSpan(1).StartsWith("ELF"u8)
            ? "an ELF file (vmlinux?)"
            : "not a Linux kernel";
        throw new KexecException($"Cannot load {file}: it is {what}; give a bzImage, usually /boot/vmlinuz-RELEASE.");
    }

    private static bool IsBzImage(ReadOnlySpan<byte> content) =>
        content.Length > 0x268 && BinaryPrimitives.ReadUInt16LittleEndian(content[0x1fe..]) == 0xaa55 && content[0x202..].StartsWith("HdrS"u8);

    private static KernelImage Check(KernelImage kernel)
    {
        string? fault = kernel.ProtocolVersion < 0x20c ? $"its boot protocol 0x{kernel.ProtocolVersion:x} is older than 0x20c (Linux 3.8)"
            : (kernel._image[0x211] & 1) == 0 ? "it is a zImage, which loads low"
            : (kernel.Read16(0x236) & 3) != 3 ? "it has no 64-bit entry that may lie above 4 GiB: it is a 32-bit kernel"
            : kernel.SetupSize >= kernel._image.Length || 0x202 + kernel._image[0x201] > 0x290 ? "its setup header is damaged"
            : kernel.InitSize < 4096 || kernel.InitSize > 1U << 30 ? $"its init_size 0x{kernel.InitSize:x} makes no sense"
            : kernel.PreferredAddress > 1UL << 46 ? $"its preferred address 0x{kernel.PreferredAddress:x} makes no sense"
            : kernel.Alignment < 4096 || kernel.Alignment > 1U << 30 || (kernel.Alignment & (kernel.Alignment - 1)) != 0 ? $"its alignment 0x{kernel.Alignment:x} makes no sense"
            : null;
        return fault is null ? kernel : throw new KexecException($"Cannot load {kernel.File}: {fault}; give an x86-64 bzImage of Linux 3.8 or later.");
    }

    private static byte[] Decompress(string file, byte[] content)
    {
        try
        {
            using var gzip = new GZipStream(new MemoryStream(content), CompressionMode.Decompress);
            var output = new MemoryStream();
            byte[] buffer = new byte[1 << 16];
            for (int count; (count = gzip.Read(buffer, 0, buffer.Length)) > 0;)
            {
                output.Write(buffer, 0, count);
                if (output.Length > InputFile.Limit)
                    throw new KexecException($"Cannot load {file}: it unpacks to more than 1 GiB; give a kernel.");
            }

            return output.ToArray();
        }
        catch (InvalidDataException e)
        {
            throw new KexecException($"Cannot load {file}: its gzip data are damaged; copy the kernel again.", 255, e);
        }
    }

    private ushort Read16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_image.AsSpan(offset));

    private uint Read32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_image.AsSpan(offset));
}
