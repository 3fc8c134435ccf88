using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary>What lies over a colour, so that nothing is told by its colour alone.</summary>
internal enum MapTexture
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Lines from left to right.</summary>
    Lines,

    /// <summary>Lines that rise.</summary>
    Slashes,

    /// <summary>Lines that fall.</summary>
    Backslashes,

    /// <summary>Dots.</summary>
    Dots,

    /// <summary>Lines that cross.</summary>
    Cross,
}

/// <summary>How a use of pmem is shown.</summary>
/// <param name="Class">The use.</param>
/// <param name="Key">Its name in data and style sheets.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Light">Colour on light ground, 0xrrggbb.</param>
/// <param name="Dark">Colour on dark ground.</param>
/// <param name="Texture">What lies over it.</param>
internal sealed record MapState(PmemPictureClass Class, string Key, string Name, int Light, int Dark, MapTexture Texture);

/// <summary>How a mark is shown.</summary>
/// <param name="Mark">The mark.</param>
/// <param name="Key">Its name in data and style sheets.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="Letter">What stands for it in the data of cells.</param>
/// <param name="Rows">Its shape: seven rows of seven points, the lowest bit on the right.</param>
internal sealed record MapMark(PmemPictureMark Mark, string Key, string Name, char Letter, byte[] Rows);

/// <summary>Uses of pmem and marks, with names, colours and shapes, in the order in which they are stacked. Two that have the same texture are told apart by
/// their colours also by those who do not see red, green or blue; a test says so.</summary>
internal static class MapStates
{
    /// <summary>Colour of what is bad, on light and on dark ground.</summary>
    internal const int Alarm = 0xc4122b, AlarmDark = 0xff6b7d;

    internal static IReadOnlyList<MapState> All { get; } =
    [
        new(PmemPictureClass.Metadata, "metadata", "metadata (memmap, info block)", 0x9c1f80, 0xf062cf, MapTexture.Lines),
        new(PmemPictureClass.Reserved, "reserved", "set aside, not used", 0xe4d5e1, 0x46333f, MapTexture.Lines),
        new(PmemPictureClass.Mapped, "mapped", "mapped: of one file or device", 0x0067a5, 0x56b4e9, MapTexture.None),
        new(PmemPictureClass.Shared, "shared", "shared by several files", 0xe69f00, 0xf0b429, MapTexture.Slashes),
        new(PmemPictureClass.InUse, "in_use", "in use without a file", 0x00805d, 0x2fc79a, MapTexture.Dots),
        new(PmemPictureClass.Foreign, "foreign", "with a damaged struct page", 0x7a4b2a, 0xc08a5a, MapTexture.Cross),
        new(PmemPictureClass.Unknown, "unknown", "not known", 0x7c828a, 0x878e98, MapTexture.Backslashes),
        new(PmemPictureClass.WithoutStruct, "no_struct", "without struct page: use not known", 0xc9ced6, 0x434a54, MapTexture.Dots),
        new(PmemPictureClass.Idle, "idle", "idle: nobody has it mapped", 0xe3e8ee, 0x2b313a, MapTexture.None),
        new(PmemPictureClass.Unassigned, "unassigned", "in no namespace", 0xf1f3f6, 0x20252c, MapTexture.Backslashes),
    ];

    internal static IReadOnlyList<MapMark> Marks { get; } =
    [
        new(PmemPictureMark.Poisoned, "poisoned", "poisoned (memory failed)", 'x',
            [0b1100011, 0b0110110, 0b0011100, 0b0001000, 0b0011100, 0b0110110, 0b1100011]),
        new(PmemPictureMark.BadBlock, "bad_block", "bad block (content is lost)", 'y',
            [0b0001000, 0b0001000, 0b0011100, 0b0011100, 0b0111110, 0b0111110, 0b1111111]),
        new(PmemPictureMark.Pinned, "pinned", "pinned (direct I/O, RDMA)", 'w',
            [0, 0b0011100, 0b0111110, 0b0111110, 0b0111110, 0b0011100, 0]),
    ];
}
