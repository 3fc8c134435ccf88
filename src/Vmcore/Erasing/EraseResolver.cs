using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Vmcore.Architectures;
using Vmcore.Debugging;
using Vmcore.Kernel.Lists;
using Vmcore.Memory;

namespace Vmcore.Erasing;

/// <summary>Finds the bytes that commands mean. It trusts nothing of the crashed kernel's memory: lists may be cyclic, pointers wild, lengths absurd.</summary>
internal sealed class EraseResolver(KernelAddressSpace space, EraseScope scope, ErasedData data)
{
    private const int MaxElements = 1 << 20;
    private const int MaxString = 1024;
    private const long MaxSize = 1L << 30;

    private readonly List<string> _remarks = [];
    private string? _variable;
    private Place _element;

    /// <summary>What the operator should know.</summary>
    internal IReadOnlyList<string> Remarks => _remarks;

    /// <summary>Carries out one command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="fail">Hears of each thing that could not be done; the rest is done.</param>
    internal void Run(EraseCommand command, Action<string> fail)
    {
        try
        {
            if (command is EraseLoop loop)
                RunLoop(loop, fail);
            else if (command is EraseRule rule)
                RunRule(rule);
        }
        catch (EraseException e)
        {
            fail(e.Message);
        }
    }

    private void RunLoop(EraseLoop loop, Action<string> fail)
    {
        HashSet<string> told = [];
        int elements = 0;
        _variable = loop.Variable;
        try
        {
            foreach (Place element in Elements(loop))
            {
                elements++;
                _element = element;
                foreach (EraseRule rule in loop.Rules)
                {
                    try
                    {
                        RunRule(rule);
                    }
                    catch (EraseException e)
                    {
                        // One message for a rule: a list may have a million elements.
                        if (told.Add($"{rule.Line}"))
                            fail($"line {rule.Line}, element {elements}: {e.Message}");
                    }
                }
            }
        }
        finally
        {
            _variable = null;
        }
    }

    private IEnumerable<Place> Elements(EraseLoop loop)
    {
        foreach (Place start in Resolve(loop.List))
        {
            IEnumerable<Place> elements = loop.Via is not null ? Chain(loop, start) : loop.WithinStruct is not null ? List(loop, start) : Array(loop, start);
            foreach (Place element in elements)
                yield return element;
        }
    }

    private static IEnumerable<Place> Array(EraseLoop loop, Place start)
    {
        DebugType type = start.Type!.Resolve();
        if (type.Kind != DebugTypeKind.Array)
            throw new EraseException($"'{loop.List.Text}' is no array; a list needs via or within");
        DebugType element = type.Target;
        if (type.Count is not { } count || element.ByteSize is not { } size)
            throw new EraseException($"'{loop.List.Text}': the length of the array is not known");
        // BTF has an array of arrays where DWARF has one with all elements.
        while (element.Resolve() is { Kind: DebugTypeKind.Array } inner && inner.Count is { } more && inner.Target.ByteSize is { } innerSize && size > 0)
        {
            count = count <= MaxElements && more <= MaxElements ? count * more : long.MaxValue;
            (element, size) = (inner.Target, innerSize);
        }

        if (count > MaxElements)
            throw new EraseException($"'{loop.List.Text}' has {count} elements, more than {MaxElements}");
        for (long i = 0; i < count; i++)
            yield return new(unchecked(start.Address + (ulong)(i * size)), element);
    }

    private IEnumerable<Place> Chain(EraseLoop loop, Place start)
    {
        Place? first = FollowAll(start, loop.List.Text);
        if (first is not { } node)
            yield break;
        DebugMember next = node.Type!.Find(loop.Via!) ?? throw new EraseException($"'{loop.List.Text}' has no member '{loop.Via}'");
        if (next.ByteOffset is not { } offset || next.Type.Resolve().Kind != DebugTypeKind.Pointer)
            throw new EraseException($"'{loop.Via}' is no pointer");
        var outcome = new WalkOutcome();
        foreach (ulong at in ListWalk.Chain(space, node.Address, (ulong)offset, MaxElements, outcome))
            yield return new(at, node.Type);
        if (!outcome.IsComplete)
            throw new EraseException(outcome.End switch
            {
                WalkEnd.Unreadable => Unreadable(unchecked(outcome.Address + (ulong)offset), loop.List.Text),
                WalkEnd.Limit => $"the list '{loop.List.Text}' has more than {MaxElements} elements",
                _ => $"the list '{loop.List.Text}' is damaged: after {outcome.Count} elements it runs in a circle that leaves out its start",
            });
    }

    private IEnumerable<Place> List(EraseLoop loop, Place start)
    {
        if (scope.FindWithMember(loop.WithinStruct!, loop.WithinMember!) is not { } within || within.Member.ByteOffset is not { } offset)
            throw new EraseException($"there is no struct {loop.WithinStruct} with a member '{loop.WithinMember}'{Because()}");
        bool isSingle = within.Member.Type.Resolve().Name == "hlist_node";
        (ulong head, bool backwards) = HeadOf(loop, start);
        ulong step = backwards ? 8UL : 0;
        var outcome = new WalkOutcome();
        IEnumerable<ulong> nodes = isSingle ? ListWalk.Singly(space, unchecked(head + step), step, MaxElements, outcome)
            : ListWalk.Circular(space, head, MaxElements, outcome, step);
        foreach (ulong at in nodes)
            yield return new(unchecked(at - (ulong)offset), within.Type);
        if (!outcome.IsComplete)
            throw new EraseException(outcome.End == WalkEnd.Unreadable ? Unreadable(unchecked(outcome.Address + step), loop.List.Text)
                : $"the list '{loop.List.Text}' is damaged: "
                + $"after {outcome.Count} elements it {(outcome.End == WalkEnd.Null ? "ends in NULL" : "does not come back to its head")}");
    }

    // The head itself, a pointer to it, or its member next or prev.
    private (ulong Address, bool Backwards) HeadOf(EraseLoop loop, Place start)
    {
        if (loop.List.Members is [.., "next" or "prev"] && start.Owner is { } owner && owner.Type!.Resolve().Name is "list_head")
            return (owner.Address, loop.List.Members[^1] == "prev");
        DebugType type = start.Type!.Resolve();
        if (type is { Kind: DebugTypeKind.Struct, Name: "list_head" or "hlist_head" })
            return (start.Address, false);
        if (type.Kind == DebugTypeKind.Pointer && type.Target.Resolve() is { Kind: DebugTypeKind.Struct, Name: "list_head" or "hlist_head" }
            && ReadPointer(start.Address, loop.List.Text) is var head and not 0)
            return (head, false);
        throw new EraseException($"'{loop.List.Text}' is no struct list_head");
    }

    private void RunRule(EraseRule rule)
    {
        foreach (Place place in Resolve(rule.Target))
            Erase(rule, place);
    }

    private void Erase(EraseRule rule, Place place)
    {
        string name = rule.Target.Text;
        DebugType type = place.Type!.Resolve();
        if (place.IsBitField)
            throw new EraseException($"'{name}' is a bit-field; erase the structure that it is in");
        if (rule.Nullify)
        {
            if (type.Kind != DebugTypeKind.Pointer)
                throw new EraseException($"'{name}' is no pointer, so it cannot be nullified");
            Add(place.Address, 8, nullify: true, name);
            data.Describe($"erase {name} nullify");
            return;
        }

        long? size = rule.Size;
        if (rule.SizeFrom is { } source)
        {
            size = ReadSize(source);
            if (size == 0)
                return;
        }

        ulong address = place.Address;
        if (type.Kind == DebugTypeKind.Pointer)
        {
            address = ReadPointer(address, name);
            if (address == 0)
                return;
            size ??= SizeOfTarget(type.Target, address, name);
        }

        size ??= place.Type.ByteSize ?? throw new EraseException($"the size of '{name}' is not known: give it with size");
        if (size == 0)
            return;
        Add(address, size.Value, nullify: false, name);
        data.Describe(string.Create(CultureInfo.InvariantCulture, $"erase {name} size {size}"));
    }

    private long SizeOfTarget(DebugType target, ulong address, string name)
    {
        DebugType type = target.Resolve();
        if (type is { Kind: DebugTypeKind.Integer, ByteSize: 1 })
            return StringLength(address, name);
        return type.Kind is DebugTypeKind.Void or DebugTypeKind.Function || target.ByteSize is not { } size
            ? throw new EraseException($"what the pointer '{name}' points to has no size: give size or nullify")
            : size;
    }

    private long StringLength(ulong address, string name)
    {
        Span<byte> line = stackalloc byte[64];
        for (int done = 0; done < MaxString;)
        {
            // Never across a line: the text may end just before a page that is not there.
            ulong at = unchecked(address + (ulong)done);
            Span<byte> part = line[..Math.Min(64 - (int)(at & 63), MaxString - done)];
            MemoryStatus status = space.Read(at, part);
            if (status is MemoryStatus.NotMapped or MemoryStatus.Hole or MemoryStatus.Excluded)
                return done; // What follows is in no dump.
            if (status != MemoryStatus.Ok)
                throw new EraseException($"the text that '{name}' points to cannot be read ({MemoryStatusText.Of(status)})");
            int nul = part.IndexOf((byte)0);
            if (nul >= 0)
                return done + nul;
            done += part.Length;
        }

        return MaxString;
    }

    private long ReadSize(EraseExpression source)
    {
        foreach (Place place in Resolve(source))
        {
            DebugType type = place.Type!.Resolve();
            if (type.Kind is not (DebugTypeKind.Integer or DebugTypeKind.Enumeration) || type.ByteSize is not (1 or 2 or 4 or 8) || place.IsBitField)
                throw new EraseException($"'{source.Text}' is no integer, so it is no size");
            Span<byte> bytes = stackalloc byte[8];
            bytes.Clear();
            int width = (int)type.ByteSize!.Value;
            if (space.Read(place.Address, bytes[..width]) != MemoryStatus.Ok)
                throw new EraseException($"'{source.Text}' cannot be read, so the size is not known");
            if (type.IsSigned && (bytes[width - 1] & 0x80) != 0)
                bytes[width..].Fill(0xff);
            long size = BinaryPrimitives.ReadInt64LittleEndian(bytes);
            return size is >= 0 and <= MaxSize
                ? size
                : throw new EraseException(string.Create(CultureInfo.InvariantCulture, $"'{source.Text}' is {size}, expected a size of 0 to {MaxSize} bytes"));
        }

        return 0;
    }

    /// <summary>Follows an expression; several places for per-cpu variables, none behind a pointer that is NULL.</summary>
    private IEnumerable<Place> Resolve(EraseExpression expression)
    {
        foreach (Place start in Start(expression))
        {
            Place? place = start;
            foreach (string member in expression.Members)
            {
                if (place is { } here)
                    place = Member(here, member, expression.Text);
            }

            if (place is { } found)
                yield return found;
        }
    }

    private IEnumerable<Place> Start(EraseExpression expression)
    {
        if (_variable == expression.Symbol)
        {
            yield return expression.Cast is null ? _element : new(_element.Address, CastType(expression));
            yield break;
        }

        IReadOnlyList<ulong> addresses = scope.Find(expression.Symbol);
        if (addresses.Count == 0)
            throw new EraseException($"there is no symbol '{expression.Symbol}'");
        foreach (ulong address in addresses)
        {
            DebugType type = (expression.Cast is null ? scope.TypeOf(expression.Symbol, address) : CastType(expression))
                ?? throw new EraseException($"the type of '{expression.Symbol}' is not known{Because()}: "
                    + $"{(scope.HasDebugInformation ? "" : "give the debug information with -x, or ")}write the type in front of it, "
                    + $"as in (struct foo *){expression.Text}");
            yield return new(address, type);
        }
    }

    private DebugType CastType(EraseExpression expression)
    {
        string[] words = expression.Cast!.Split(' ');
        int stars = words.Count(w => w == "*");
        string[] names = [.. words.Where(w => w is not ("*" or "struct" or "union" or "const"))];
        DebugType? type = names.Length == 1
            ? (names[0] == "void" && stars > 0 ? DebugType.Void : names[0] == "char" ? CastPointer.Character : scope.FindComposite(names[0]))
            : null;
        if (type is null)
            throw new EraseException($"the type ({expression.Cast}) is not known{Because()}");
        for (int i = 0; i < stars; i++)
            type = new CastPointer(type);
        return type;
    }

    private string Because() => scope.TypesProblem is { } problem ? $" ({problem})" : "";

    private Place? Member(Place place, string name, string text)
    {
        if (FollowAll(place, text) is not { } found)
            return null;
        DebugMember member = found.Type!.Find(name) ?? throw new EraseException($"'{text}': there is no member '{name}' in {Describe(found.Type)}");
        if (member.ByteOffset is { } offset)
            return new(unchecked(found.Address + (ulong)offset), member.Type) { Owner = new(found.Address, found.Type) };
        return new(unchecked(found.Address + (ulong)(member.BitOffset / 8)), member.Type) { IsBitField = true };
    }

    private static string Describe(DebugType type) =>
        type.Resolve() is { Name.Length: > 0 } named ? $"{named.Kind.ToString().ToLowerInvariant()} {named.Name}" : "it";

    // As rules never say whether something is a pointer, every pointer on the way to a member is followed.
    private Place? FollowAll(Place place, string text)
    {
        const int MaxPointers = 8;
        for (int i = 0; i < MaxPointers; i++)
        {
            DebugType type = place.Type!.Resolve();
            if (type.Kind is DebugTypeKind.Struct or DebugTypeKind.Union)
                return place;
            if (type.Kind != DebugTypeKind.Pointer)
                break;
            ulong target = ReadPointer(place.Address, text);
            if (target == 0)
                return null;
            place = new(target, type.Target);
        }

        throw new EraseException($"'{text}': {Describe(place.Type!)} has no members");
    }

    private ulong ReadPointer(ulong address, string text) =>
        space.TryReadUInt64(address, out ulong value) ? value : throw new EraseException(Unreadable(address, text));

    private string Unreadable(ulong address, string text)
    {
        MemoryStatus status = space.Read(address, stackalloc byte[8]);
        return $"'{text}': the pointer at 0x{address:x} cannot be read ({MemoryStatusText.Of(status)}), so what it points to is not erased";
    }

    private void Add(ulong address, long size, bool nullify, string name)
    {
        if (size > MaxSize)
            throw new EraseException($"'{name}' has {size} bytes, more than {MaxSize}");
        for (ulong done = 0; done < (ulong)size;)
        {
            Translation translation = space.Translate(unchecked(address + done));
            ulong step = Math.Min(translation.Size - (unchecked(address + done) & (translation.Size - 1)), (ulong)size - done);
            if (translation.Status == MemoryStatus.Ok)
                data.Add(new(translation.PhysicalAddress, translation.PhysicalAddress + step), nullify);
            else if (translation.Status == MemoryStatus.PageTableMissing)
                throw new EraseException($"'{name}' at 0x{address:x}: a page table on the way is not in the dump, so it is not erased");
            else if (done == 0 && _remarks.Count < 100)
                _remarks.Add($"'{name}' at 0x{address:x} is not mapped; there is nothing to erase.");
            done += step;
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Place(ulong Address, DebugType? Type)
    {
        /// <summary>True for a bit-field.</summary>
        internal bool IsBitField { get; init; }

        /// <summary>The structure that the place is a member of.</summary>
        internal PlaceBox? Owner { get; init; }
    }

    private sealed record PlaceBox(ulong Address, DebugType? Type);

    /// <summary>The type that a cast to a pointer means.</summary>
    private sealed class CastPointer(DebugType target) : DebugType
    {
        internal static DebugType Character { get; } = new CharacterType();

        public override DebugTypeKind Kind => DebugTypeKind.Pointer;

        protected override long? OwnSize => 8;

        public override DebugType Target => target;

        private sealed class CharacterType : DebugType
        {
            public override DebugTypeKind Kind => DebugTypeKind.Integer;

            public override string Name => "char";

            protected override long? OwnSize => 1;
        }
    }
}
