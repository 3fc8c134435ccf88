using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary>How a class of page is shown.</summary>
/// <param name="Class">The class.</param>
/// <param name="Key">Its name in data and style sheets.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Light">Colour on light ground, 0xrrggbb.</param>
/// <param name="Dark">Colour on dark ground.</param>
/// <param name="Rule">What leaves it out: a bit of the dump level, <c>always</c>, or <c>never</c>.</param>
internal sealed record MapClass(PictureClass Class, string Key, string Name, int Light, int Dark, string Rule);

/// <summary>Classes, names and colours, in the order in which they are stacked.</summary>
internal static class MapColors
{
    internal static IReadOnlyList<MapClass> All { get; } =
    [
        new(PictureClass.Reserved, "reserved", "image, memmap", 0x1f3f77, 0x7fa6e8, "never"),
        new(PictureClass.Slab, "slab", "slab", 0x2f6fc0, 0x4f86d8, "never"),
        new(PictureClass.Kernel, "kernel", "other kernel pages", 0x74a9dd, 0x2f5b9c, "never"),
        new(PictureClass.User, "user", "user process data", 0xe39a1f, 0xe8a93a, "8"),
        new(PictureClass.Cache, "cache", "page cache", 0x2f9e7f, 0x3fb592, "2"),
        new(PictureClass.CachePrivate, "cache_private", "page cache, private", 0x1c6b57, 0x2a7d66, "4"),
        new(PictureClass.PmemMetadata, "pmem_metadata", "pmem metadata", 0xb01e8f, 0xf062cf, "32"),
        new(PictureClass.PmemUserData, "pmem_user_data", "pmem user data", 0xe3c3e8, 0x54385f, "always"),
        new(PictureClass.HwPoison, "hwpoison", "poisoned", 0xd6293e, 0xff5468, "always"),
        new(PictureClass.Offline, "offline", "offline", 0x8d8794, 0x6f6a78, "always"),
        new(PictureClass.Unknown, "unknown", "unknown", 0x6b6b6b, 0x9a9a9a, "never"),
        new(PictureClass.Free, "free", "free", 0xdfe3e8, 0x2b3038, "16"),
        new(PictureClass.CrashKernel, "crash_kernel", "crash kernel", 0xb9a58c, 0x6e5f4a, "always"),
    ];

    /// <summary>Where a class stands in <see cref="All"/>.</summary>
    internal static int IndexOf(PictureClass page)
    {
        int at = 0;
        while (All[at].Class != page)
            at++;
        return at;
    }

    /// <summary>A colour as CSS has it.</summary>
    internal static string Css(int color) => "#" + color.ToString("x6", System.Globalization.CultureInfo.InvariantCulture);
}
