using System.Globalization;
using System.Text.Json;
using Vmcore.Cli.Json;
using Vmcore.Kexec;

namespace Vmcore.Cli.Kexec;

/// <summary>Prints a plan for programs. Addresses and sizes are text in hexadecimal, since JSON numbers end at 53 bits.</summary>
internal static class PlanJson
{
    /// <summary>Prints it.</summary>
    public static void Write(LoadPlan plan, TextWriter output) =>
        output.WriteLine(JsonText.BuildText(Convert(plan), JsonNamingPolicy.CamelCase, omitsNull: true));

    private static PlanDocument Convert(LoadPlan plan) => new()
    {
        Kernel = new(plan.Kernel.File, plan.Kernel.Form, plan.Kernel.Release, Hex(plan.Kernel.InitSize)),
        MemoryNeeded = Hex(plan.Memory.Needed),
        MemoryReserved = Hex(plan.Memory.Reserved),
        MemoryNeededIsEstimate = plan.Memory.IsEstimate,
        BounceBuffers = Hex(plan.Memory.BounceBuffers),
        Syscalls = [.. plan.Order.Select(static c => c == LoadSyscall.FileLoad ? "kexec_file_load" : "kexec_load")],
        SyscallReason = plan.Choice.Reason,
        LostByKexecLoad = [.. plan.Choice.LostByLoad.Select(static l => l.Text)],
        LostByKexecFileLoad = [.. plan.Choice.LostByFileLoad.Select(static l => l.Text)],
        CrashCma = [.. plan.System.CrashCma.Select(static r => new PlanRange(Hex(r.Start), Hex(r.Length)))],
        Namespaces =
        [
            .. plan.System.Namespaces.Select(static n => new PlanNamespace(
                n.Name, n.Mode, n.Device, Hex(n.Range.Start), Hex(n.Range.Length), n.Memmap.ToString().ToLowerInvariant(),
                n.Metadata.IsEmpty ? null : Hex(n.Metadata.Start), n.Metadata.IsEmpty ? null : Hex(n.Metadata.Length))),
        ],
        Segments = plan.Layout is null ? null :
        [
            .. plan.Layout.Segments.Select(static s =>
                new PlanSegment(s.Name, Hex(s.Memory.Start), Hex(s.Memory.Length), Hex((ulong)s.Data.Length), s.IsVerified)),
        ],
        Entry = plan.Layout is null ? null : Hex(plan.Layout.Entry),
        Sha256 = plan.Layout is { Digest.Length: > 0 } layout ? layout.Digest : null,
        HandsEfiOver = plan.Layout?.HandsEfiOver,
        ElfCoreHeader = plan.Layout is null ? null :
        [
            .. plan.Layout.Headers.Select(static h => new PlanHeader(
                h.Type == 4 ? "NOTE" : "LOAD", h.Kind.ToString(), Hex(h.Memory.Start),
                Hex(h.Memory.Length), Hex(h.Virtual), Hex(h.Flags), h.Title.Length == 0 ? null : h.Title)),
        ],
        MemoryMap = plan.Layout is null ? null :
            [.. plan.Layout.Memory.Select(static e => new PlanMemory(Hex(e.Range.Start), Hex(e.Range.Length), e.Type.ToString().ToLowerInvariant()))],
        CommandLine = plan.Layout?.CommandLine.Text,
        FileCommandLine = plan.FileCommandLine?.Text,
        Warnings = [.. plan.Warnings],
        LoadWarnings = [.. plan.LoadWarnings],
        FileWarnings = [.. plan.FileWarnings],
    };

    private static string Hex(ulong value) => string.Create(CultureInfo.InvariantCulture, $"0x{value:x}");
}

/// <summary>A plan as JSON.</summary>
internal sealed record PlanDocument : IJsonItem
{
    public required PlanKernel Kernel { get; init; }

    public required string MemoryNeeded { get; init; }

    public required string MemoryReserved { get; init; }

    public required bool MemoryNeededIsEstimate { get; init; }

    public required string BounceBuffers { get; init; }

    public required string[] Syscalls { get; init; }

    public required string SyscallReason { get; init; }

    public required string[] LostByKexecLoad { get; init; }

    public required string[] LostByKexecFileLoad { get; init; }

    public required PlanRange[] CrashCma { get; init; }

    public required PlanNamespace[] Namespaces { get; init; }

    public PlanSegment[]? Segments { get; init; }

    public string? Entry { get; init; }

    public string? Sha256 { get; init; }

    public bool? HandsEfiOver { get; init; }

    public PlanHeader[]? ElfCoreHeader { get; init; }

    public PlanMemory[]? MemoryMap { get; init; }

    public string? CommandLine { get; init; }

    public string? FileCommandLine { get; init; }

    public required string[] Warnings { get; init; }

    public required string[] LoadWarnings { get; init; }

    public required string[] FileWarnings { get; init; }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Kernel);
        json.Put(MemoryNeeded);
        json.Put(MemoryReserved);
        json.Put(MemoryNeededIsEstimate);
        json.Put(BounceBuffers);
        json.Put(Syscalls);
        json.Put(SyscallReason);
        json.Put(LostByKexecLoad);
        json.Put(LostByKexecFileLoad);
        json.Put(CrashCma);
        json.Put(Namespaces);
        json.Put(Segments);
        json.Put(Entry);
        json.Put(Sha256);
        json.Put(HandsEfiOver);
        json.Put(ElfCoreHeader);
        json.Put(MemoryMap);
        json.Put(CommandLine);
        json.Put(FileCommandLine);
        json.Put(Warnings);
        json.Put(LoadWarnings);
        json.Put(FileWarnings);
    }
}

/// <summary>The capture kernel.</summary>
internal sealed record PlanKernel(string File, string Form, string Release, string InitSize) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(File);
        json.Put(Form);
        json.Put(Release);
        json.Put(InitSize);
    }
}

/// <summary>A range of physical addresses; in bytes.</summary>
internal sealed record PlanRange(string Start, string Size) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Start);
        json.Put(Size);
    }
}

/// <summary>A namespace; addresses and sizes in bytes.</summary>
internal sealed record PlanNamespace(string Name, string Mode, string? Device, string Start,
    string Size, string Memmap, string? MetadataStart, string? MetadataSize) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Mode);
        json.Put(Device);
        json.Put(Start);
        json.Put(Size);
        json.Put(Memmap);
        json.Put(MetadataStart);
        json.Put(MetadataSize);
    }
}

/// <summary>A segment; addresses and sizes in bytes.</summary>
internal sealed record PlanSegment(string Name, string Start, string MemorySize, string DataSize, bool Verified) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Name);
        json.Put(Start);
        json.Put(MemorySize);
        json.Put(DataSize);
        json.Put(Verified);
    }
}

/// <summary>A program header; addresses and sizes in bytes.</summary>
internal sealed record PlanHeader(string Type, string Kind, string PhysicalAddress, string Size, string VirtualAddress, string Flags, string? Title) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Type);
        json.Put(Kind);
        json.Put(PhysicalAddress);
        json.Put(Size);
        json.Put(VirtualAddress);
        json.Put(Flags);
        json.Put(Title);
    }
}

/// <summary>An entry of the capture kernel's memory map; in bytes.</summary>
internal sealed record PlanMemory(string Start, string Size, string Type) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(Start);
        json.Put(Size);
        json.Put(Type);
    }
}
