using Vmcore.Architectures;
using Vmcore.Kernel.Symbols;

namespace Vmcore.Kernel.Crash;

/// <summary>The functions from the place of a crash outward, up to where what the kernel did began: a system call, an interrupt, a thread.</summary>
internal sealed class CrashPath
{
    private CrashPath(List<CrashPlace> places, string? problem) => (Places, Problem) = (places, problem);

    /// <summary>The functions, innermost first; none if the CPU was in user mode.</summary>
    internal IReadOnlyList<CrashPlace> Places { get; }

    /// <summary>Why further functions may be missing, as one clause; null if they are all there.</summary>
    internal string? Problem { get; }

    /// <summary>Index in the stack of the frame that is the place; null if the log tells of it.</summary>
    internal int? Start { get; private init; }

    /// <summary>Takes it from a stack.</summary>
    /// <param name="trace">The stack.</param>
    /// <param name="symbols">The kernel's symbols.</param>
    /// <param name="kind">What happened.</param>
    /// <param name="waits">True for the stack of a task that waits; false for that of a CPU.</param>
    /// <returns>Null if the place is not on the stack, or not beyond doubt.</returns>
    internal static CrashPath? TryFrom(TaskStack trace, KernelSymbols symbols, CrashKind kind, bool waits)
    {
        List<CrashPlace> all = [];
        foreach (StackFrame frame in trace.Frames)
        {
            if (!frame.IsReliable || frame.Registers is { IsUser: true })
                break;
            all.Add(PlaceOf(frame, symbols));
        }

        int start = waits ? 0 : StartOf(trace, all, kind);
        if (start > all.Count || (start == all.Count && !IsUser(trace, start)))
            return null;
        List<CrashPlace> places = [];
        string? problem = trace.Problem?.ToString();
        for (int i = start; i < all.Count; i++)
        {
            CrashPlace place = all[i];
            bool isFirst = places.Count == 0;
            if (!isFirst && (trace.Frames[i].IsInterrupted || (place.Function is not null && FrameNames.IsBoundary(place.Name))))
                return new(WithoutCarriers(places, place), null) { Start = start };
            if (place.Function is null && !(isFirst && trace.Frames[i].IsInterrupted))
                return new(places, $"no symbol has the address 0x{place.Address:x}") { Start = start };
            places.Add(place);
        }

        return new(places, IsUser(trace, all.Count) ? null : problem) { Start = start };
    }

    /// <summary>Takes it from what the log tells.</summary>
    /// <param name="log">The log.</param>
    /// <param name="cause">What happened; null if only the panic is known.</param>
    /// <param name="kind">What happened.</param>
    /// <param name="symbols">The kernel's symbols, to mend what the kernel named wrongly; null if there are none.</param>
    internal static CrashPath? TryFrom(CrashLog log, CrashEpisode? cause, CrashKind kind, KernelSymbols? symbols)
    {
        const string FromLog = "the functions are those that the log names";
        CrashEpisode? episode = cause ?? log.Panic;
        if (episode is null)
            return null;
        List<CrashPlace> places = [];
        bool strikes = cause is not null && CrashWords.StrikesFromOutside(kind);
        if (strikes && (episode.Place is not null || episode.IsNoCode))
            places.Add(new(episode.Place?.Name, episode.Place?.Module, episode.Place?.Offset ?? 0, null, CrashSource.Log));
        int from = 1 + episode.Frames.FindLastIndex(static f => FrameNames.IsPanic(FrameNames.Normalise(f.Name, null)));
        for (int i = from; i < episode.Frames.Count; i++)
        {
            CrashPlace place = PlaceOf(episode.Frames[i], symbols);

            // Some machines begin the trace with the place itself, and all of them with what reports.
            if (places.Count == 1 && i == from && strikes && place.Name == places[0].Name)
                continue;
            if (places.Count == 0 && FrameNames.IsReport(place.Name))
                continue;
            if (places.Count > 0 && FrameNames.IsBoundary(place.Name))
            {
                places = WithoutCarriers(places, place);
                break;
            }

            places.Add(place);
        }

        return places.Count == 0 ? null : new(places, FromLog);
    }

    private static List<CrashPlace> WithoutCarriers(List<CrashPlace> places, CrashPlace boundary)
    {
        while (FrameNames.IsSystemCall(boundary.Name) && places.Count > 1 && places[^1].Function is not null && FrameNames.CarriesOut(places[^1].Name))
            places.RemoveAt(places.Count - 1);
        return places;
    }

    /// <summary>
    /// Index of the frame that is the place. An oops hands the registers of its exception to the capture kernel: then it is the first. Else it lies below
    /// panic(): where the exception or interrupt struck, or what called it.
    /// </summary>
    private static int StartOf(TaskStack trace, List<CrashPlace> all, CrashKind kind)
    {
        int panic = all.FindLastIndex(static p => FrameNames.IsPanic(p.Name));

        // What is a panic of its own must be on the stack.
        if (panic < 0)
            return kind is CrashKind.Unknown || CrashWords.StrikesFromOutside(kind) ? 0 : int.MaxValue;
        int start = panic + 1;
        if (CrashWords.StrikesFromOutside(kind))
        {
            for (int i = start; i < trace.Frames.Count && trace.Frames[i].IsReliable; i++)
            {
                if (trace.Frames[i].IsInterrupted)
                    return i;
            }

            // Not all of them come by an exception: KFENCE finds a bad free when it is called. Of a stack that is cut nobody knows.
            if (trace.Problem is not null || kind is not (CrashKind.Kfence or CrashKind.Warning or CrashKind.MachineCheck or CrashKind.Nmi))
                return int.MaxValue;
        }

        while (start < all.Count && FrameNames.IsReport(all[start].Name))
            start++;
        return start;
    }

    private static bool IsUser(TaskStack trace, int index) =>
        index < trace.Frames.Count && trace.Frames[index] is { IsReliable: true, Registers.IsUser: true };

    private static CrashPlace PlaceOf(StackFrame frame, KernelSymbols symbols)
    {
        CrashSource source = frame.IsInterrupted ? CrashSource.Registers : CrashSource.Stack;
        if (!symbols.TryResolve(frame.SymbolAddress, out KernelSymbol symbol, out ulong offset))
            return new(null, null, 0, frame.Address, source);
        return new(symbol.Name, symbol.Module, frame.IsInterrupted ? offset : offset + 1, frame.Address, source);
    }

    // A call that never returns may be the last instruction of its function: some machines' traces then name the function behind it, at +0x0.
    private static CrashPlace PlaceOf(LoggedFunction logged, KernelSymbols? symbols)
    {
        if (logged.Offset == 0 && symbols is not null && symbols.TryFind(logged.Name, out ulong address)
            && symbols.TryResolve(address - 1, out KernelSymbol before, out ulong offset))
            return new(before.Name, before.Module, offset + 1, null, CrashSource.Log);
        return new(logged.Name, logged.Module, logged.Offset, null, CrashSource.Log);
    }
}
