using System.CommandLine;
using System.Globalization;
using System.IO.Enumeration;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Kernel.Slab;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore slab FILE [NAME…]</c></summary>
internal static class SlabCommand
{
    internal static Command Create()
    {
        var names = new Argument<string[]>("NAME")
        {
            Description = "Caches by name, or by pattern ('kmalloc-*'); all that have slabs if none is given.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var objects = new Option<bool>("--objects") { Description = "List the addresses of the objects of these caches, and whether they are in use." };
        return new ReaderCommand("slab", "Show the slab caches: objects in use and free, slabs, bytes.",
            context => !CodeFeature.IsIncluded ? CodeFeature.Refuse("slab")
                : Run(context, context.Parsed.GetValue(names) ?? [], context.Parsed.GetValue(objects)), hasWords: true) { names, objects };
    }

    private static int Run(ReaderContext context, string[] names, bool objects)
    {
        _ = context.Symbols;
        _ = context.NamedTypes;
        SlabCaches caches = context.Dump.OpenSlabs();
        if (objects && names.Length == 0)
            throw new VmcoreException("--objects: name the caches whose objects are to be listed");
        foreach (string name in names)
        {
            if (!caches.All.Any(c => IsNamed(c, name)))
                context.Gap(new Finding(FindingCode.SlabCacheNotFound, name, caches.Problems.Count == 0 ? "" : " among those that can be read"));
        }

        if (objects)
            WriteObjects(context, caches, [.. caches.All.Where(c => Array.Exists(names, n => IsNamed(c, n)))]);
        else
            WriteUses(context, caches, names);
        return 0;
    }

    private static bool IsNamed(SlabCache cache, string name) => name.AsSpan().IndexOfAny('*', '?') < 0 ? cache.Name == name
        : FileSystemName.MatchesSimpleExpression(name, cache.Name, ignoreCase: false);

    private static void WriteUses(ReaderContext context, SlabCaches caches, string[] names)
    {
        List<SlabUse> uses = [.. caches.Count()
            .Where(u => names.Length == 0 ? u.Slabs > 0 || context.IsJson : Array.Exists(names, n => IsNamed(u.Cache, n)))
            .OrderByDescending(static u => u.Bytes)];
        context.Gap(caches.Problems);
        if (context.IsJson)
        {
            context.WriteJson(new SlabAnswer { Caches = [.. uses.Select(static u => new SlabUseInfo(u))] });
            return;
        }

        var table = new TextTable(context.Style, ">OBJECT", ">IN USE", ">FREE", ">TOTAL", ">SLABS", ">MEMORY", "ADDRESS", "NAME");
        foreach (SlabUse use in uses)
        {
            string free = Number(use.Free) + (use.Unknown > 0 ? $"+{Number(use.Unknown)}?" : "");
            table.Add(Number(use.Cache.ObjectSize), Number(use.InUse), free, Number(use.Objects), Number(use.Slabs), Sizes.Text(use.Bytes),
                use.Cache.Address.ToString("x16", CultureInfo.InvariantCulture), use.Cache.Name);
        }

        ReaderContext.Write(table.ToString());
    }

    private static void WriteObjects(ReaderContext context, SlabCaches caches, List<SlabCache> wanted)
    {
        List<SlabObjectsInfo> slabs = [];
        caches.VisitObjects(wanted, (slab, states) =>
        {
            if (context.IsJson)
                slabs.Add(new(slab, states));
            else
                WriteSlab(slab, states);
        });
        context.Gap(caches.Problems);
        if (context.IsJson)
            context.WriteJson(new SlabAnswer { Slabs = slabs });
    }

    private static void WriteSlab(SlabPages slab, IReadOnlyList<SlabObjectState> states)
    {
        for (int i = 0; i < states.Count; i++)
        {
            ReaderContext.Write(string.Create(CultureInfo.InvariantCulture,
                $"{slab.AddressOf(i):x16}  {WordOf(states[i]).Replace('_', ' '),-7}  {slab.Cache.Name}\n"));
        }
    }

    /// <summary>The state of an object, as JSON has it.</summary>
    internal static string WordOf(SlabObjectState state) => state switch
    {
        SlabObjectState.Free => "free",
        SlabObjectState.InUse => "in_use",
        _ => "unknown",
    };

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The answer of <c>vmcore slab --json</c>: caches, or with <c>--objects</c> their slabs.</summary>
internal sealed record SlabAnswer : ReaderAnswer
{
    public IReadOnlyList<SlabUseInfo>? Caches { get; init; }

    public IReadOnlyList<SlabObjectsInfo>? Slabs { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Caches);
        json.Put(Slabs);
    }
}

/// <summary>How much of a cache is in use; sizes in bytes.</summary>
internal sealed class SlabUseInfo(SlabUse use) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(use.Cache.Name);
        json.PutAddress(use.Cache.Address);
        json.Put(use.Cache.ObjectSize);
        json.Put(use.Cache.Stride);
        json.Put(use.Slabs);
        json.Put(use.Bytes);
        json.Put(use.Objects);
        json.Put(use.InUse);
        json.Put(use.Free);
        json.Put(use.Unknown);
    }
}

/// <summary>A slab with the addresses of its objects.</summary>
internal sealed class SlabObjectsInfo(SlabPages slab, IReadOnlyList<SlabObjectState> states) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(slab.Cache.Name, "Cache");
        json.PutAddress(slab.Address);
        json.PutAddress(slab.Start);
        Put(SlabObjectState.InUse);
        Put(SlabObjectState.Free);
        Put(SlabObjectState.Unknown);

        void Put(SlabObjectState state)
        {
            List<string?> found = [];
            for (int i = 0; i < states.Count; i++)
            {
                if (states[i] == state)
                    found.Add(Sizes.Hex(slab.AddressOf(i)));
            }

            json.Put(found, SlabCommand.WordOf(state));
        }
    }
}
