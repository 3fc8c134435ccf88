using System.Globalization;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Resources;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>Images of a machine's RAM, cut out of a vmcore: what a hypervisor or LiME would have written of the same machine.</summary>
internal static class RamImage
{
    private const int Piece = 1 << 20;

    private static readonly string[] s_withWords = ["bt", "ps", "print", "read", "symbol", "type", "vtop"];

    /// <summary>Raw images, one for each PT_LOAD.</summary>
    /// <returns>Each as FILE@ADDRESS.</returns>
    internal static string[] Raw(TemporaryFolder folder, string vmcore)
    {
        List<string> words = [];
        using FileStream source = File.OpenRead(vmcore);
        foreach ((ulong start, ulong length, long? offset) in Pieces(vmcore))
        {
            string file = folder.File(string.Create(CultureInfo.InvariantCulture, $"raw-{start:x}"));
            using FileStream image = File.Create(file);
            Copy(source, offset, length, image);
            words.Add(string.Create(CultureInfo.InvariantCulture, $"{file}@0x{start:x}"));
        }

        return [.. words];
    }

    /// <summary>What stands in the place of makedumpfile's and vmcore-dmesg's input.</summary>
    internal static string[] Options(IEnumerable<string> images) => [.. images.SelectMany(static i => (string[])["--raw", i])];

    /// <summary>A command line of vmcore.</summary>
    /// <param name="command">The command, and what follows its dump.</param>
    /// <param name="images">Each as FILE@ADDRESS.</param>
    internal static string[] Line(string command, IReadOnlyList<string> images)
    {
        string[] words = command.Split(' ');
        return s_withWords.Contains(words[0])
            ? [words[0], "--raw", images[0], .. images.Skip(1).SelectMany(static i => (string[])["--part", i]), .. words[1..]]
            : [words[0], "--raw", .. images, .. words[1..]];
    }

    /// <summary>One image in LiME's format.</summary>
    internal static string Lime(TemporaryFolder folder, string vmcore)
    {
        string file = folder.File("image.lime");
        using FileStream source = File.OpenRead(vmcore), image = File.Create(file);
        foreach ((ulong start, ulong length, long? offset) in Pieces(vmcore))
        {
            using var header = new BinaryWriter(image, System.Text.Encoding.Latin1, leaveOpen: true);
            header.Write("EMiL"u8);
            header.Write(1u);
            header.Write(start);
            header.Write(start + length - 1);
            header.Write(0UL);
            header.Flush();
            Copy(source, offset, length, image);
        }

        return file;
    }

    /// <summary>The raw image among some, and the offset in it, where a physical address lies.</summary>
    internal static (string File, long Offset) Find(string[] words, ulong address)
    {
        foreach (string word in words)
        {
            int at = word.LastIndexOf("@0x", StringComparison.Ordinal);
            string file = word[..at];
            ulong start = Convert.ToUInt64(word[(at + 3)..], 16);
            if (address >= start && address - start < (ulong)new FileInfo(file).Length)
                return (file, (long)(address - start));
        }

        throw new ArgumentOutOfRangeException(nameof(address));
    }

    /// <summary>Writes over a part of an image.</summary>
    internal static void Patch(string file, long offset, ReadOnlySpan<byte> bytes)
    {
        using FileStream image = File.Open(file, FileMode.Open, FileAccess.ReadWrite);
        image.Position = offset;
        image.Write(bytes);
    }

    // The segment of the kernel's image has pages of another one. Of the first 640 KiB no vmcore has anything; an image has them, here as zeroes.
    private static List<(ulong Start, ulong Length, long? Offset)> Pieces(string vmcore)
    {
        using CrashDump dump = CrashDump.Open(vmcore);
        List<(ulong, ulong, long?)> pieces = [];
        foreach (KernelResource low in dump.Resources!.All().Where(static r => r.IsSystemRam && r.End <= 1 << 20))
            pieces.Add((low.Start, low.End - low.Start, null));
        foreach (ElfSegment load in dump.Loads.Where(static l => l.FileSize > 0).OrderBy(static l => l.PhysicalAddress))
        {
            if (!dump.Loads.Any(o => o != load && o.PhysicalAddress <= load.PhysicalAddress && load.PhysicalEnd <= o.PhysicalEnd))
                pieces.Add((load.PhysicalAddress, load.FileSize, (long)load.Offset));
        }

        return pieces;
    }

    // Pages of zero become holes, as they are in the sample.
    private static void Copy(FileStream source, long? offset, ulong length, FileStream image)
    {
        long end = image.Position + (long)length;
        source.Position = offset ?? 0;
        byte[] buffer = new byte[Piece];
        while (offset is not null && image.Position < end)
        {
            int count = source.Read(buffer, 0, (int)Math.Min(Piece, end - image.Position));
            Assert.True(count > 0);
            if (buffer.AsSpan(0, count).ContainsAnyExcept((byte)0))
                image.Write(buffer, 0, count);
            else
                image.Seek(count, SeekOrigin.Current);
        }

        image.SetLength(end);
        image.Position = end;
    }
}
