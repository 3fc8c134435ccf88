using System.Buffers.Binary;
using System.IO.Compression;
using Vmcore.Compression;
using Vmcore.IO;

namespace Vmcore.Kexec;

/// <summary>Reads the files that the operator names: unpacks a kernel and asks the platforms whose it is.</summary>
public static class KernelFile
{
    // Of what is unpacked, enough to see whether it begins like a kernel.
    private const int HeadSize = 1024;
    private const int DepthLimit = 3;
    private static ReadOnlySpan<byte> GzipMagic => [0x1f, 0x8b];

    /// <summary>Reads and checks a kernel.</summary>
    /// <param name="file">The file.</param>
    /// <param name="expected">The running system's platform, for the advice in messages; null if it is not known.</param>
    /// <exception cref="KexecException">It cannot be read, or is no kernel that can be loaded.</exception>
    public static KernelImage Open(string file, Platform? expected = null)
    {
        ImageBuffer content = InputFile.Read(file, "kernel");
        KernelImage? kernel = null;
        try
        {
            return kernel = Parse(file, content.Memory, expected);
        }
        finally
        {
            // What was unpacked has memory of its own.
            if (kernel is null || !IsPartOf(kernel, content))
                ((IDisposable)content).Dispose();
        }
    }

    /// <summary>Reads an initramfs.</summary>
    /// <exception cref="KexecException">It cannot be read, or is longer than 1 GiB.</exception>
    public static ReadOnlyMemory<byte> ReadInitramfs(string file) => InputFile.Read(file, "initramfs").Memory;

    /// <summary>Checks the content of a file.</summary>
    /// <param name="file">The file's name, for messages.</param>
    /// <param name="content">Its content.</param>
    /// <param name="expected">As for <see cref="Open"/>.</param>
    /// <exception cref="KexecException">It is no kernel that can be loaded.</exception>
    public static KernelImage Parse(string file, ReadOnlyMemory<byte> content, Platform? expected = null)
    {
        return Unwrap(file, content, KernelWrapping.None, default, expected) ?? throw NotKernel(file, content.Span, expected);
    }

    // Wrappings may be nested: a unified kernel image holds a zboot image, and that a compressed one. The outermost gives the name.
    private static KernelImage? Unwrap(
        string file, ReadOnlyMemory<byte> content, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd, Platform? expected, int depth = 0)
    {
        if (content.Span.StartsWith(GzipMagic))
        {
            content = Decompress(file, content, expected);
            wrapping = wrapping == KernelWrapping.None ? KernelWrapping.Gzip : wrapping;
        }

        if (TryParse(file, content, wrapping, initrd) is { } kernel)
            return kernel;
        if (depth == DepthLimit)
            return null;
        if (ZbootImage.TryParse(content) is { } zboot)
        {
            KernelWrapping outer = wrapping is KernelWrapping.None ? KernelWrapping.Zboot : wrapping;
            return Unwrap(file, UnpackZboot(file, zboot, expected), outer, initrd, expected, depth + 1);
        }

        if (PeSections.Find(content, ".linux") is not { } linux)
            return null;
        return Unwrap(file, linux, KernelWrapping.Uki, PeSections.Find(content, ".initrd") ?? default, expected, depth + 1);
    }

    private static ReadOnlyMemory<byte> UnpackZboot(string file, ZbootImage zboot, Platform? expected)
    {
        if (zboot.Compression == "gzip")
            return zboot.Payload;
        if (!zboot.Compression.StartsWith("zstd", StringComparison.Ordinal))
        {
            throw new KexecException(
                $"Cannot load {file}: its kernel is compressed by {zboot.Compression}, which this kexec does not unpack (gzip and zstd it does): "
                + "give the Image inside of it.");
        }

        if (zboot.Size is 0 or > InputFile.Limit)
            throw new KexecException($"Cannot load {file}: it says that its kernel has {zboot.Size} bytes; copy the kernel again.");
        var output = new ImageBuffer(zboot.Size);
        output.Resize((int)zboot.Size);
        using var zstd = new ZstdPageDecompressor();
        if (zstd.TryDecompress(zboot.Payload.Span, output.GetSpan()))
            return output.Memory;
        ((IDisposable)output).Dispose();
        throw new KexecException($"Cannot load {file}: its zstd data are damaged; copy the kernel again.");
    }

    private static KernelImage? TryParse(string file, ReadOnlyMemory<byte> content, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd)
    {
        foreach (Platform platform in Platform.All)
        {
            if (platform.TryParseKernel(file, content, wrapping, initrd) is { } kernel)
                return kernel;
        }

        return null;
    }

    private static KexecException NotKernel(string file, ReadOnlySpan<byte> content, Platform? expected)
    {
        string what = content.StartsWith((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F']) ? "an ELF file (vmlinux?)" : "not a Linux kernel";
        string wanted = expected?.KernelFormats ?? string.Join(" or ", Platform.All.Select(static p => p.KernelFormats));
        return new($"Cannot load {file}: it is {what}; give {wanted}, usually /boot/vmlinuz-RELEASE.");
    }

    private static ReadOnlyMemory<byte> Decompress(string file, ReadOnlyMemory<byte> content, Platform? expected)
    {
        // The last four bytes are the length, unless something comes behind. It is only a hint, so a wrong one may cost no memory.
        long hint = content.Length < 18 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(content.Span[^4..]);
        var output = new ImageBuffer(hint < content.Length * 16L ? hint : 0);
        bool isDone = false;
        try
        {
            using var gzip = new GZipStream(new ForwardStream(content), CompressionMode.Decompress);
            // What does not begin like a kernel is not worth the memory.
            if (!output.Append(gzip, HeadSize) && !IsPromising(output.Memory.Span))
                throw NotKernel(file, output.Memory.Span, expected);
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

    private static bool IsPromising(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("MZ"u8))
            return true;
        foreach (Platform platform in Platform.All)
        {
            if (platform.BeginsLikeKernel(head))
                return true;
        }

        return false;
    }

    private static bool IsPartOf(KernelImage kernel, ImageBuffer buffer) =>
        buffer.GetSpan().Overlaps(kernel.Image.Span) || buffer.GetSpan().Overlaps(kernel.EmbeddedInitrd.Span);
}
