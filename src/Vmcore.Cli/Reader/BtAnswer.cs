using System.Globalization;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Cli.Reader.Code;
using Vmcore.Findings;
using Vmcore.Kernel;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Vmlinux;

namespace Vmcore.Cli.Reader;

/// <summary>The answer of <c>vmcore bt --json</c>.</summary>
internal sealed record BtAnswer : ReaderAnswer
{
    public IReadOnlyList<StackInfo> Stacks { get; init; } = [];

    /// <summary>With <c>--group</c>: the stacks that several tasks have in common, and those that one has; else null.</summary>
    public IReadOnlyList<StackGroupInfo>? Groups { get; init; }

    /// <summary>Numbers of the CPUs that were offline.</summary>
    public IReadOnlyList<ulong> OfflineCpus { get; init; } = [];

    /// <summary>With <c>--all</c>: what is missing of the list of tasks; null if it is whole.</summary>
    public string? Problem { get; init; }

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.Put(Stacks);
        json.Put(Groups);
        json.Put(OfflineCpus);
        json.Put(Problem);
    }
}

/// <summary>Tasks with one stack.</summary>
internal sealed record StackGroupInfo(IReadOnlyList<TaskInfo> Tasks, StackInfo Stack) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Tasks);
        json.Put(Stack);
    }
}

/// <summary>A stack.</summary>
internal sealed record StackInfo : IJsonItem
{
    public TaskInfo? Task { get; init; }

    /// <summary>The CPU that it ran on, from whose registers the stack starts if there are any; null for a task that slept.</summary>
    public int? Cpu { get; init; }

    public bool Panicked { get; init; }

    /// <summary><c>orc</c>, <c>frame_pointers</c> or <c>scan</c>.</summary>
    public required string Method { get; init; }

    public IReadOnlyList<FrameInfo> Frames { get; init; } = [];

    /// <summary>What ended the walk early; null if it is whole.</summary>
    public string? Problem { get; init; }

    /// <summary>The code of it (<see cref="FindingCode"/>); null if it is whole.</summary>
    public string? ProblemCode { get; init; }

    /// <summary>True if the task has ended, and its stack was taken back.</summary>
    public bool Gone { get; init; }

    /// <summary>Describes a stack.</summary>
    /// <param name="kernel">The kernel, which has symbols.</param>
    /// <param name="task">The task; null if it is not known.</param>
    /// <param name="cpu">The CPU that it ran on; null for a task that slept.</param>
    /// <param name="trace">The stack.</param>
    /// <param name="lines">Lines of the source; null if there are none.</param>
    internal static StackInfo From(KernelView kernel, KernelTask? task, CpuState? cpu, TaskStack trace, SourceLines? lines = null) => new()
    {
        Task = task is null ? null : TaskInfo.From(kernel, task),
        Cpu = cpu?.Number,
        Panicked = cpu is { IsCrashing: true },
        Method = trace.Method switch { StackMethod.Orc => "orc", StackMethod.FramePointers => "frame_pointers", _ => "scan" },
        Frames = [.. trace.Frames.Select(f => new FrameInfo(f.Address, f.StackPointer,
            f.Registers is { IsUser: true } ? null : Symbol(kernel.RequireSymbols(), f), f.IsInterrupted, f.IsReliable, f.Registers)
        {
            Source = !CodeFeature.IsIncluded || lines is null || f.Registers is { IsUser: true } ? [] : SourcePlaceInfo.From(lines.Find(f.SymbolAddress)),
        })],
        Problem = trace.Problem?.ToString(),
        ProblemCode = JsonText.NameOf(trace.Problem),
        Gone = trace.IsGone,
    };

    // As the kernel's own traces: offset and size of the function.
    private static string? Symbol(KernelSymbols symbols, StackFrame frame)
    {
        if (!symbols.TryResolve(frame.SymbolAddress, out KernelSymbol symbol, out ulong offset, out ulong? size))
            return null;
        if (!frame.IsInterrupted)
            offset++;
        return string.Create(CultureInfo.InvariantCulture,
            $"{symbol.Name}+0x{offset:x}{(size is { } s ? $"/0x{s:x}" : "")}{(symbol.Module is { } module ? $" [{module}]" : "")}");
    }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Task);
        json.Put(Cpu);
        json.Put(Panicked);
        json.Put(Method);
        json.Put(Frames);
        json.Put(Problem);
        json.Put(ProblemCode);
        json.Put(Gone);
    }
}

/// <summary>A frame, innermost first; registers where they were saved.</summary>
internal sealed record FrameInfo(
    ulong Address,
    ulong StackPointer,
    string? Symbol,
    bool Interrupted,
    bool Reliable,
    CpuRegisters? Registers) : IJsonItem
{
    /// <summary>Where in the source it is, innermost first: functions that were inlined, then the one that has the frame. Empty if that is not known.</summary>
    public IReadOnlyList<SourcePlaceInfo> Source { get; init; } = [];

    /// <summary>True if the CPU was in user mode: the registers are the process's.</summary>
    internal bool IsUser => Registers is { IsUser: true };

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Address);
        json.PutAddress(StackPointer);
        json.Put(Symbol);
        json.Put(Interrupted);
        json.Put(Reliable);
        json.Put(Registers?.Names, key => $"0x{Registers![key]:x}", "registers");
        json.Put(Source);
    }
}
