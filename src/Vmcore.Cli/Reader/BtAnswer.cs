using Vmcore.Architectures;
using Vmcore.Cli.Json;
using Vmcore.Findings;

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
internal sealed class StackGroupInfo(IReadOnlyList<TaskInfo> tasks, StackInfo stack) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(tasks);
        json.Put(stack);
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
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.PutAddress(Address);
        json.PutAddress(StackPointer);
        json.Put(Symbol);
        json.Put(Interrupted);
        json.Put(Reliable);
        json.Put(Registers?.Names, key => $"0x{Registers![key]:x}", "registers");
    }
}
