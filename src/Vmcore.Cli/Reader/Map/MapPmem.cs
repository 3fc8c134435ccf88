using System.Globalization;
using Vmcore.Cli.Reader.Pmem;
using Vmcore.Picture;
using Vmcore.Ranges;

namespace Vmcore.Cli.Reader.Map;

/// <summary>Pages of a file that are neighbours on the pmem.</summary>
/// <param name="FilePage">First page of the file.</param>
/// <param name="Pages">The pages.</param>
/// <param name="IsShared">True if other files have them too.</param>
internal readonly record struct MapFileRange(ulong FilePage, PfnRange Pages, bool IsShared);

/// <summary>A file, or a devdax device, in the picture of pmem.</summary>
/// <param name="Info">The file.</param>
/// <param name="Ranges">Where it is, ascending; not all if it is in too many pieces.</param>
/// <param name="RangesLeftOut">Pieces that are not in <paramref name="Ranges"/>.</param>
internal sealed record MapFile(PmemFileInfo Info, IReadOnlyList<MapFileRange> Ranges, ulong RangesLeftOut)
{
    /// <summary>Its path, or what there is in its place.</summary>
    internal string Name => Info.Path is { } path ? path + (Info.Deleted ? " (deleted)" : "")
        : $"a file whose path is not in memory (address_space {Sizes.Hex(Info.Mapping)})";
}

/// <summary>The picture of pmem with the names of what is in it. Its size is bounded: of too many files, and of files in too many pieces, the rest is left
/// out, and said to be.</summary>
internal sealed class MapPmem
{
    private const int FileCount = 256;
    private const int RangesOfFile = 512;
    private const int RangeCount = 8192;
    private const int NamesInHint = 3;

    private readonly CrashDump _dump;

    internal MapPmem(CrashDump dump, PmemPicture picture)
    {
        (_dump, Picture) = (dump, picture);
        Answer = PmemCollector.Collect(dump, picture.Usage);
        List<MapFile> files = [];
        int left = RangeCount;
        foreach (PmemFileInfo info in Answer.Files.Take(FileCount))
        {
            List<MapFileRange> all = [.. info.Ranges.Select(static r => Range(r, false)), .. info.SharedRanges.Select(static r => Range(r, true))];
            IEnumerable<MapFileRange> largest = all.OrderByDescending(static r => r.Pages.Count).Take(Math.Min(RangesOfFile, left));
            List<MapFileRange> kept = [.. largest.OrderBy(static r => r.Pages.Start)];
            left -= kept.Count;
            files.Add(new(info, kept, info.RangesLeftOut + (ulong)(all.Count - kept.Count)));
        }

        Files = files;
    }

    /// <summary>The picture.</summary>
    internal PmemPicture Picture { get; }

    /// <summary>What <c>vmcore pmem</c> says of it.</summary>
    internal PmemAnswer Answer { get; }

    /// <summary>The files, those with most pages first.</summary>
    internal IReadOnlyList<MapFile> Files { get; }

    /// <summary>Files that are not in <see cref="Files"/>.</summary>
    internal int FilesLeftOut => Answer.Files.Count - Files.Count;

    /// <summary>True if not every piece of every file is in <see cref="Files"/>.</summary>
    internal bool IsCutShort => FilesLeftOut > 0 || Files.Any(static f => f.RangesLeftOut > 0)
        || Picture.Areas.Any(static a => a.Usage is { PagesOfOthers: > 0 });

    /// <summary>What <c>vmcore pmem</c> says of a namespace; null of pmem that is in none.</summary>
    internal PmemNamespaceInfo? InfoOf(PmemPictureArea area)
    {
        int at = 0;
        foreach (Vmcore.Pmem.PmemNamespace item in _dump.Pmem.Namespaces)
        {
            if (ReferenceEquals(item, area.Namespace))
                return Answer.Namespaces[at];
            at++;
        }

        return null;
    }

    /// <summary>The name of an area.</summary>
    internal string NameOf(PmemPictureArea area) => area.Namespace is { } item ? item.Name ?? "namespace"
        : area.Total(PmemPictureClass.Unassigned) > 0 ? "in no namespace" : "pmem of which it is not known in which namespace it is";

    /// <summary>What is said beside its name: <c>fsdax, 128 MiB, /dev/pmem0, memmap on the pmem</c>.</summary>
    internal string DescriptionOf(PmemPictureArea area)
    {
        List<string> words = [Sizes.Text(area.Pages.Count << _dump.Memory.PageShift)];
        if (InfoOf(area) is { } info)
        {
            words.Insert(0, info.Mode != "unknown" ? info.Mode : info.Memmap.State == "none" ? "raw, or no info block of it in the dump" : "mode not known");
            words.AddRange(info.Devices.Select(static d => "/dev/" + d));
            if (info.Map != "none")
                words.Add(info.Map == "dev" ? "memmap on the pmem" : "memmap in RAM");
            if (info.Memmap.State is not ("complete" or "none"))
                words.Add(info.Memmap.State == "overwritten" ? "memmap written anew after the crash" : "memmap " + info.Memmap.State + " in the dump");
        }

        return string.Join(", ", words);
    }

    /// <summary>Files with pages in a range, those with most first.</summary>
    internal IEnumerable<MapFile> FilesIn(PfnRange pages) =>
        Files.Where(f => f.Ranges.Any(r => !r.Pages.Intersect(pages).IsEmpty));

    /// <summary>What is in some cells, in a line.</summary>
    /// <param name="area">The area.</param>
    /// <param name="first">The first cell.</param>
    /// <param name="last">One behind the last.</param>
    internal string HintOf(PmemPictureArea area, int first, int last)
    {
        List<string> words = [];
        foreach (MapState state in MapStates.All)
        {
            if (Count(area, first, last, state.Class) > 0)
                words.Add(state.Name);
        }

        foreach (MapMark mark in MapStates.Marks)
        {
            ulong pages = 0;
            for (int cell = first; cell < last; cell++)
                pages += area[cell, mark.Mark];
            if (pages > 0)
                words.Add(string.Create(CultureInfo.InvariantCulture, $"{mark.Name} {Sizes.Count(pages, "page")}"));
        }

        string text = $"{NameOf(area)}: {string.Join("; ", words)}";
        string[] names = [.. FilesIn(new(area.CellPages(first).Start, area.CellPages(last - 1).End)).Take(NamesInHint + 1).Select(static f => f.Name)];
        return names.Length == 0 ? text : $"{text}: {string.Join(", ", names.Take(NamesInHint))}{(names.Length > NamesInHint ? ", ..." : "")}";
    }

    /// <summary>Pages of a class in some cells.</summary>
    internal static ulong Count(PmemPictureArea area, int first, int last, PmemPictureClass page)
    {
        ulong pages = 0;
        for (int cell = first; cell < last; cell++)
            pages += area[cell, page];
        return pages;
    }

    private static MapFileRange Range(FileRangeInfo range, bool isShared) => new(range.FilePage, new(range.Pfn, range.Pfn + range.Pages), isShared);
}
