namespace Vmcore.Formats.Kdump;

/// <summary>What a kdump-compressed file knows of a page.</summary>
public enum PageState
{
    /// <summary>The machine has no memory there, or the dump never knew of it.</summary>
    Hole,

    /// <summary>The machine has the page; a filter left it out.</summary>
    Excluded,

    /// <summary>The page has data in the file.</summary>
    Present,

    /// <summary>
    /// The page should have data, but the file is truncated, the target ran full, its descriptor is damaged, or the
    /// part of the split dump that holds it is not at hand.
    /// </summary>
    Lost,
}

/// <summary>The two bitmaps of a kdump-compressed file.</summary>
internal enum KdumpBitmap
{
    /// <summary>The first: pages that the machine has.</summary>
    Memory,

    /// <summary>The second: pages that have a descriptor. A file with a single bitmap uses that one for both.</summary>
    Dumped,
}
