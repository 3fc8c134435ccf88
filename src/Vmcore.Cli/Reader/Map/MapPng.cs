using System.Buffers.Binary;
using System.IO.Compression;
using Vmcore.Memmap;
using Vmcore.Picture;

namespace Vmcore.Cli.Reader.Map;

/// <summary>The picture as PNG, on light ground.</summary>
internal sealed class MapPng : IMapCanvas
{
    private const int Ink = 0x1b1f24, FrameColor = 0x5b6470;

    // A picture of 128 regions stays far below.
    private const int MostHeight = 20000;

    private readonly byte[] _pixels;
    private readonly int _height;

    private MapPng(int height)
    {
        _height = height;
        _pixels = new byte[3 * MapLayout.Width * height];
        Array.Fill(_pixels, (byte)0xff);
    }

    /// <summary>Draws it.</summary>
    internal static byte[] Build(CrashDump dump, MemoryPicture picture, MapPmem pmem, DumpLevel level)
    {
        var canvas = new MapPng(Math.Min(MapLayout.Draw(null, dump, picture, pmem, level), MostHeight));
        MapLayout.Draw(canvas, dump, picture, pmem, level);
        return Encode(canvas._pixels, MapLayout.Width, canvas._height);
    }

    /// <inheritdoc/>
    public void Cell(int x, int y, int width, int height, MapClass page, bool leftOut)
    {
        for (int row = y; row < y + height; row++)
        {
            for (int column = x; column < x + width; column++)
                Set(column, row, leftOut && (row + column) % 4 == 0 ? Mix(page.Light) : page.Light);
        }
    }

    /// <inheritdoc/>
    public void Text(int x, int y, string text, bool strong)
    {
        const int Scale = 2;
        foreach (char letter in text)
        {
            ReadOnlySpan<byte> rows = PixelFont.Glyph(letter);
            for (int row = 0; row < PixelFont.Height * Scale; row++)
            {
                for (int column = 0; column < PixelFont.Width * Scale; column++)
                {
                    if ((rows[row / Scale] >> (PixelFont.Width - 1 - (column / Scale)) & 1) != 0)
                        Set(x + column, y + 1 + row, strong ? 0 : Ink);
                }
            }

            x += (PixelFont.Width + 1) * Scale;
        }
    }

    /// <inheritdoc/>
    public void State(int x, int y, int width, int height, MapState state)
    {
        for (int row = y; row < y + height; row++)
        {
            for (int column = x; column < x + width; column++)
            {
                bool isLight = IsOver(state.Texture, column, row), isDark = IsOver(state.Texture, column - 1, row);
                Set(column, row, isLight ? Mix(state.Light) : isDark ? Shade(state.Light) : state.Light);
            }
        }
    }

    /// <inheritdoc/>
    public void Mark(int x, int y, MapMark mark)
    {
        int color = mark.Mark == PmemPictureMark.Pinned ? Ink : MapStates.Alarm;
        for (int row = -1; row <= mark.Rows.Length; row++)
        {
            for (int column = -1; column <= 7; column++)
            {
                bool isHalo = Has(mark, column - 1, row) || Has(mark, column + 1, row) || Has(mark, column, row - 1) || Has(mark, column, row + 1);
                if (Has(mark, column, row) || isHalo)
                    Set(x + column, y + row, Has(mark, column, row) ? color : 0xffffff);
            }
        }
    }

    /// <inheritdoc/>
    public void Frame(int x, int y, int width, int height)
    {
        for (int i = 0; i < width; i++)
        {
            Set(x + i, y, FrameColor);
            Set(x + i, y + height - 1, FrameColor);
        }

        for (int i = 0; i < height; i++)
        {
            Set(x, y + i, FrameColor);
            Set(x + width - 1, y + i, FrameColor);
        }
    }

    /// <inheritdoc/>
    public void Hint(string? text)
    {
        // Nobody can point at it.
    }

    private static bool Has(MapMark mark, int column, int row) =>
        row >= 0 && row < mark.Rows.Length && column is >= 0 and < 7 && (mark.Rows[row] >> (6 - column) & 1) != 0;

    private static bool IsOver(MapTexture texture, int x, int y) => texture switch
    {
        MapTexture.Lines => y % 4 == 0,
        MapTexture.Slashes => (x + y) % 5 == 0,
        MapTexture.Backslashes => (x - y + 100_000) % 5 == 0,
        MapTexture.Dots => x % 4 == 0 && y % 4 == 0,
        MapTexture.Cross => (x + y) % 5 == 0 || (x - y + 100_000) % 5 == 0,
        _ => false,
    };

    // Half way to black.
    private static int Shade(int color) => (color >> 1) & 0x7f7f7f;

    // Half way to white.
    private static int Mix(int color) => 0x7f7f7f + ((color >> 1) & 0x7f7f7f);

    private static byte[] Encode(byte[] pixels, int width, int height)
    {
        using var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Optimal, leaveOpen: true))
        {
            for (int row = 0; row < height; row++)
            {
                zlib.WriteByte(0);
                zlib.Write(pixels, row * 3 * width, 3 * width);
            }
        }

        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        header[8] = 8;
        header[9] = 2;
        using var file = new MemoryStream();
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        Chunk(file, "IHDR"u8, header);
        Chunk(file, "IDAT"u8, data.ToArray());
        Chunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static void Chunk(MemoryStream file, ReadOnlySpan<byte> name, ReadOnlySpan<byte> content)
    {
        byte[] bytes = new byte[12 + content.Length];
        BinaryPrimitives.WriteInt32BigEndian(bytes, content.Length);
        name.CopyTo(bytes.AsSpan(4));
        content.CopyTo(bytes.AsSpan(8));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8 + content.Length), Crc(bytes.AsSpan(4, 4 + content.Length)));
        file.Write(bytes);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int i = 0; i < 8; i++)
                crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
        }

        return ~crc;
    }

    private void Set(int x, int y, int color)
    {
        if (x < 0 || x >= MapLayout.Width || y < 0 || y >= _height)
            return;
        int at = 3 * ((y * MapLayout.Width) + x);
        _pixels[at] = (byte)(color >> 16);
        _pixels[at + 1] = (byte)(color >> 8);
        _pixels[at + 2] = (byte)color;
    }
}
