namespace Vmcore.Testing;

/// <summary>The struct pages of RAM, by kind.</summary>
internal static class PageImages
{
    /// <summary>Writes the records of one placed block.</summary>
    public static void Write(StructPageWriter writer, EraProfile era, Placement p)
    {
        ulong zone = writer.ZoneFlags(p.Pfn, device: false);
        PageImage image = PageImage.InUse(zone | p.ExtraFlags | Flags(era, p.Kind));
        switch (p.Kind)
        {
            case PageKind.PoisonedStructPage:
                byte[] ones = new byte[writer.Size];
                Array.Fill(ones, (byte)0xff);
                for (ulong i = 0; i < p.Count; i++)
                    writer.WriteRaw(p.Pfn + i, ones);
                return;
            case PageKind.Free:
                PageImage free = image with { MapCount = era.BuddyType, Private = (ulong)p.Order, RefCount = 0 };
                WriteBlock(writer, p, free with { Word8 = 0xffff888000abc008, Word16 = 0xffff888000abc008 }, tailReferences: 0);
                return;
            case PageKind.Unaccepted:
                WriteBlock(writer, p, image with { MapCount = era.UnacceptedType == 0 ? uint.MaxValue : era.UnacceptedType, RefCount = 0 }, tailReferences: 0);
                return;
            case PageKind.PerCpuFree:
                WriteBlock(writer, p, image with { RefCount = 0, Word8 = 0xdead000000000100, Word16 = 0xdead000000000122 }, tailReferences: 0);
                return;
            case PageKind.Offline or PageKind.Balloon or PageKind.PageTable or PageKind.Guard or PageKind.Reserved or PageKind.ZeroFilled or PageKind.HwPoison:
                // Not compound: each page carries the mark itself.
                for (ulong i = 0; i < p.Count; i++)
                    writer.Write(p.Pfn + i, image with
                    {
                        MapCount = Type(era, p.Kind),
                        Flags = image.Flags & ~zone | writer.ZoneFlags(p.Pfn + i, device: false),
                    });
                return;
            default:
                image.MapCount = Type(era, p.Kind);
                image.Mapping = Mapping(era, p);
                image.Index = p.Pfn & 0xfff;
                if (p.Kind is PageKind.PageCachePrivate)
                    image.Private = 0xffff888000bcd000;
                writer.WriteCompound(p.Pfn, p.Order, image, p.Kind == PageKind.Hugetlb);
                return;
        }
    }

    private static void WriteBlock(StructPageWriter writer, Placement p, PageImage first, int tailReferences)
    {
        writer.Write(p.Pfn, first);
        for (ulong i = 1; i < p.Count; i++)
            writer.Write(p.Pfn + i, PageImage.InUse(writer.ZoneFlags(p.Pfn + i, device: false)) with { RefCount = tailReferences });
    }

    private static ulong Flags(EraProfile era, PageKind kind)
    {
        ulong lru = Bit(era.Lru) | Bit(era.Uptodate);
        ulong anonymous = lru | Bit(era.SwapBacked);
        return kind switch
        {
            PageKind.PageCache => lru,
            PageKind.PageCachePrivate => lru | Bit(era.Private),
            PageKind.SwapCache => Bit(era.Uptodate) | Bit(era.SwapCache) | Bit(era.SwapBacked),
            PageKind.OwnerPrivate => Bit(era.Uptodate) | Bit(era.SwapCache),
            PageKind.Anonymous or PageKind.AnonHuge or PageKind.Ksm => anonymous,
            PageKind.AnonymousSwapCache => anonymous | Bit(era.SwapCache),
            PageKind.Hugetlb => Bit(era.Uptodate),
            PageKind.Slab => Bit(era.Slab),
            PageKind.Reserved => Bit(era.Reserved),
            PageKind.HwPoison => Bit(era.HwPoison),
            PageKind.HwPoisonAnonymous => anonymous | Bit(era.HwPoison),
            _ => 0,
        };
    }

    private static uint Type(EraProfile era, PageKind kind) => kind switch
    {
        PageKind.Offline or PageKind.Balloon => era.OfflineType,
        PageKind.PageTable => era.TableType,
        PageKind.Guard => era.GuardType,
        PageKind.Slab when era.SlabType != 0 => era.SlabType,
        PageKind.Hugetlb when era.HugetlbType != 0 => era.HugetlbType,
        PageKind.Anonymous or PageKind.AnonHuge or PageKind.Ksm => 0,
        _ => uint.MaxValue,
    };

    private static ulong Mapping(EraProfile era, Placement p) => p.Kind switch
    {
        PageKind.PageCache or PageKind.PageCachePrivate or PageKind.OwnerPrivate => 0xffff888000def000,
        PageKind.Anonymous or PageKind.AnonHuge or PageKind.AnonymousSwapCache or PageKind.HwPoisonAnonymous => 0xffff888000fed001,
        PageKind.Ksm => 0xffff888000fed003,
        // Where slab is a type, its allocator keeps counters in this word: bit 0 may be set and means nothing.
        PageKind.Slab => era.SlabType != 0 ? 0x0000000080200021ul : 0xffff888000cab000,
        _ => 0,
    };

    private static ulong Bit(int position) => position < 0 ? 0 : 1ul << position;
}

/// <summary>A block of pages put on the machine.</summary>
internal sealed record Placement(ulong Pfn, int Order, PageKind Kind, PageFill Fill, ulong ExtraFlags)
{
    public ulong Count => 1ul << Order;

    public ulong End => Pfn + Count;
}
