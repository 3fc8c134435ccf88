using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Erasing;

/// <summary>Carries out the commands of one section: finds the physical bytes that they mean.</summary>
internal sealed class EraseResolver
{
    private const int ToldRemarks = 100;

    private readonly KernelAddressSpace _space;
    private readonly ErasedData _data;
    private readonly ErasePlaces _places;
    private readonly EraseElements _elements;
    private readonly EraseSizes _sizes;
    private readonly List<string> _remarks = [];

    /// <summary>Prepares for the commands of a section.</summary>
    /// <param name="space">The kernel's memory.</param>
    /// <param name="scope">Where names are looked up.</param>
    /// <param name="data">Receives what is erased.</param>
    internal EraseResolver(KernelAddressSpace space, EraseScope scope, ErasedData data)
    {
        _space = space;
        _data = data;
        _places = new(space, scope);
        _elements = new(_places);
        _sizes = new(_places);
    }

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
        catch (Exception e) when (e is EraseException or KernelObjectException)
        {
            fail(e.Message);
        }
    }

    private void RunLoop(EraseLoop loop, Action<string> fail)
    {
        HashSet<string> told = [];
        int count = 0;
        try
        {
            foreach (KernelObject element in _elements.Of(loop))
            {
                count++;
                _places.Bind(loop.Variable, element);
                foreach (EraseRule rule in loop.Rules)
                {
                    try
                    {
                        RunRule(rule);
                    }
                    catch (Exception e) when (e is EraseException or KernelObjectException)
                    {
                        // One message for a rule: a list may have a million elements.
                        if (told.Add($"{rule.Line}"))
                            fail($"line {rule.Line}, element {count}: {e.Message}");
                    }
                }
            }
        }
        finally
        {
            _places.Bind(null, null);
        }
    }

    private void RunRule(EraseRule rule)
    {
        foreach (KernelObject place in _places.Resolve(rule.Target))
            Erase(rule, place);
    }

    private void Erase(EraseRule rule, KernelObject place)
    {
        string name = rule.Target.Text;
        KernelType type = place.Type.Underlying();
        if (place.BitWidth > 0)
            throw new EraseException($"'{name}' is a bit-field; erase the structure that it is in");
        ulong address = place.Address!.Value;
        if (rule.Nullify)
        {
            if (type.Kind != KernelTypeKind.Pointer)
                throw new EraseException($"'{name}' is no pointer, so it cannot be nullified");
            Add(address, 8, nullify: true, name);
            _data.Describe($"erase {name} nullify");
            return;
        }

        long? size = rule.Size;
        if (rule.SizeFrom is { } source)
        {
            size = _sizes.Read(source);
            if (size == 0)
                return;
        }

        if (type.Kind == KernelTypeKind.Pointer)
        {
            address = _places.ReadPointer(address, name);
            if (address == 0)
                return;
            size ??= _sizes.OfTarget(type.Target, address, name);
        }

        size ??= type.KnownSize ?? throw new EraseException($"the size of '{name}' is not known: give it with size");
        if (size == 0)
            return;
        Add(address, size.Value, nullify: false, name);
        _data.Describe(string.Create(CultureInfo.InvariantCulture, $"erase {name} size {size}"));
    }

    private void Add(ulong address, long size, bool nullify, string name)
    {
        if (size > _space.Limits.ErasedBytes)
            throw new EraseException($"'{name}' has {size} bytes, more than {_space.Limits.ErasedBytes}");
        for (ulong done = 0; done < (ulong)size;)
        {
            Translation translation = _space.Translate(unchecked(address + done));
            ulong step = Math.Min(translation.Size - (unchecked(address + done) & (translation.Size - 1)), (ulong)size - done);
            if (translation.Status == MemoryStatus.Ok)
                _data.Add(new(translation.PhysicalAddress, translation.PhysicalAddress + step), nullify);
            else if (translation.Status == MemoryStatus.PageTableMissing)
                throw new EraseException($"'{name}' at 0x{address:x}: a page table on the way is not in the dump, so it is not erased");
            else if (done == 0 && _remarks.Count < ToldRemarks)
                _remarks.Add($"'{name}' at 0x{address:x} is not mapped; there is nothing to erase.");
            done += step;
        }
    }
}
