using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vmcore.Kexec;

/// <summary>A Linux arm64 kernel in the Image format (Documentation/arch/arm64/booting.rst).</summary>
internal sealed class Arm64Image : KernelImage
{
    private const int HeaderSize = 64;
    private const int MagicOffset = 56;

    // Since Linux 5.10 the offset is 0; before it was 512 KiB, or random, below 2 MiB.
    private const ulong Base = 2UL << 20;

    private Arm64Image(string file, ReadOnlyMemory<byte> image, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd)
        : base(file, image, wrapping, initrd)
    {
    }

    /// <inheritdoc/>
    public override string Machine => Arm64Platform.Name;

    /// <inheritdoc/>
    public override string Format => "Image";

    /// <inheritdoc/>
    public override string Details
    {
        get
        {
            string pages = ((Flags >> 1) & 3) switch { 1 => "4K", 2 => "16K", 3 => "64K", _ => "unknown" };
            return string.Create(CultureInfo.InvariantCulture, $"{pages} pages, text_offset 0x{TextOffset:x}");
        }
    }

    /// <inheritdoc/>
    /// <remarks>The header does not tell it; the banner does, which is in every image.</remarks>
    public override string Release
    {
        get
        {
            ReadOnlySpan<byte> rest = Image.Span, banner = "Linux version "u8;
            for (int at; (at = rest.IndexOf(banner)) >= 0;)
            {
                rest = rest[(at + banner.Length)..];
                int end = rest[..Math.Min(rest.Length, 256)].IndexOfAnyExceptInRange((byte)0x21, (byte)0x7e);
                // There is a format of the same beginning too.
                if (end > 0 && rest[0] is >= (byte)'0' and <= (byte)'9')
                    return Encoding.ASCII.GetString(rest[..end]);
            }

            return "";
        }
    }

    /// <inheritdoc/>
    public override ReadOnlyMemory<byte> Loaded => Image;

    /// <inheritdoc/>
    public override ulong InitSize => Read64(16);

    /// <inheritdoc/>
    /// <remarks>COMMAND_LINE_SIZE is 2048.</remarks>
    public override int CommandLineLimit => 2047;

    /// <summary>Distance of its place from a multiple of 2 MiB, in bytes.</summary>
    public ulong TextOffset => Read64(8);

    private ulong Flags => Read64(24);

    /// <summary>True if it begins like an Image.</summary>
    internal static bool IsImage(ReadOnlySpan<byte> head) => head.Length >= HeaderSize && head[MagicOffset..].StartsWith("ARM\x64"u8);

    /// <summary>Reads the image; null if it is no Image.</summary>
    /// <inheritdoc cref="Platform.TryParseKernel"/>
    internal static Arm64Image? TryParse(string file, ReadOnlyMemory<byte> content, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd)
    {
        if (!IsImage(content.Span))
            return null;
        var image = new Arm64Image(file, content, wrapping, initrd);
        string? fault = image.InitSize == 0 ? "its header has no size (Linux before 3.17)"
            : (image.Flags & 1) != 0 ? "it is a big-endian kernel"
            : image.InitSize > 1UL << 30 || image.InitSize < HeaderSize ? $"its image_size 0x{image.InitSize:x} makes no sense"
            : image.TextOffset >= Base || (image.TextOffset & (Arm64Platform.Alignment - 1)) != 0 ? $"its text_offset 0x{image.TextOffset:x} makes no sense"
            : null;
        if (fault is not null)
            throw new KexecException($"Cannot load {file}: {fault}; give a little-endian arm64 Image of Linux 3.17 or later.");
        // Zeroed memory follows the image, so that a shorter file may be whole. Only the sections of its PE header tell.
        return PeSections.EndOf(content.Span) is { } whole && whole > content.Length
            ? throw new KexecException($"Cannot load {file}: it is truncated, {content.Length} bytes of {whole}; copy the kernel again.")
            : image;
    }

    private ulong Read64(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(Image.Span[offset..]);
}
