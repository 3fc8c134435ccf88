namespace Vmcore.Kexec;

/// <summary>How a kernel lies in its file.</summary>
public enum KernelWrapping
{
    /// <summary>It is the file.</summary>
    None,

    /// <summary>Compressed by gzip.</summary>
    Gzip,

    /// <summary>In an EFI program that unpacks it (EFI zboot).</summary>
    Zboot,

    /// <summary>In a unified kernel image, with its initramfs.</summary>
    Uki,
}

/// <summary>A Linux kernel to load.</summary>
public abstract class KernelImage
{
    private protected KernelImage(string file, ReadOnlyMemory<byte> image, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd)
    {
        File = file;
        Image = image;
        Wrapping = wrapping;
        EmbeddedInitrd = initrd;
    }

    /// <summary>Name of the file.</summary>
    public string File { get; }

    /// <summary>How it lay in the file.</summary>
    public KernelWrapping Wrapping { get; }

    /// <summary>The kernel, unpacked.</summary>
    public ReadOnlyMemory<byte> Image { get; }

    /// <summary>The initramfs of a unified kernel image; empty if there is none.</summary>
    public ReadOnlyMemory<byte> EmbeddedInitrd { get; }

    /// <summary>What the file is: <c>bzImage</c>, <c>Image.gz</c>, <c>UKI</c>.</summary>
    public string Form => Wrapping switch
    {
        KernelWrapping.None => Format,
        KernelWrapping.Gzip => $"{Format}.gz",
        KernelWrapping.Zboot => "zboot",
        _ => "UKI",
    };

    /// <summary>True if the file itself is what kexec_file_load takes: its signature, if there is one, stays usable.</summary>
    public bool IsPlainFile => Wrapping == KernelWrapping.None;

    /// <summary>Name in utsname of the machine that it runs on, for example <c>x86_64</c>.</summary>
    public abstract string Machine { get; }

    /// <summary>Name of the image's format: <c>bzImage</c>, <c>Image</c>.</summary>
    public abstract string Format { get; }

    /// <summary>What else the format's header says, for people; empty if there is nothing.</summary>
    public abstract string Details { get; }

    /// <summary>Release text inside the image, for example <c>6.12.0-1-amd64</c>; empty if there is none.</summary>
    public abstract string Release { get; }

    /// <summary>The part that is loaded and entered.</summary>
    public abstract ReadOnlyMemory<byte> Loaded { get; }

    /// <summary>Bytes of memory that the kernel needs until it knows its own memory map.</summary>
    public abstract ulong InitSize { get; }

    /// <summary>Longest command line in bytes, without the NUL.</summary>
    public abstract int CommandLineLimit { get; }
}
