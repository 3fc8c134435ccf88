using System.CommandLine;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Cli.Json;
using Vmcore.Findings;
using Vmcore.Memory;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore read FILE ADDRESS [LENGTH]</c></summary>
internal static class ReadCommand
{
    private const int DefaultLength = 256;
    private const int MaxLength = 1 << 30;
    private const int Chunk = 1 << 20;

    internal static Command Create()
    {
        var address = new Argument<string>("ADDRESS") { Description = "A virtual address, a symbol, or an expression; with --physical a physical address." };
        var length = new Argument<string?>("LENGTH") { Description = "Number of bytes, decimal or 0x...; 256 if not given.", Arity = ArgumentArity.ZeroOrOne };
        var physical = new Option<bool>("--physical", "-p") { Description = "The address is a physical one." };
        var pid = NumberOption.Create("--pid", "PID", "Read in the memory of this process, not in the kernel's.", int.MaxValue);
        var format = new Option<string>("--format", "-f")
        {
            Description = "hex (bytes and text), u8, u16, u32, u64 (words), pointers (words with symbols), string, raw (the bytes themselves).",
            DefaultValueFactory = _ => "hex",
            HelpName = "FORMAT",
        };
        format.AcceptOnlyFromAmong("hex", "u8", "u16", "u32", "u64", "pointers", "string", "raw");
        return new ReaderCommand("read", "Read memory by virtual or physical address. User data on pmem is never shown.", context =>
        {
            if (!CodeFeature.IsIncluded)
                return CodeFeature.Refuse("read");
            CrashDump dump = context.Dump;
            bool isPhysical = context.Parsed.GetValue(physical);
            int? process = context.Parsed.GetValue(pid);
            if (isPhysical && process is not null)
                throw new VmcoreException("read: --pid and --physical contradict each other");
            KernelAddressSpace? space = isPhysical ? null : context.MemoryOf(process);
            string where = context.Parsed.GetRequiredValue(address);
            string kind = context.Parsed.GetRequiredValue(format);
            ulong start = isPhysical ? Number(where, "physical address") : context.AddressOf(where);
            ulong count = context.Parsed.GetValue(length) is { } text ? Number(text, "length") : DefaultLength;
            if (count > MaxLength || start > ulong.MaxValue - count)
                throw new VmcoreException($"length {count}: at most {MaxLength} bytes are read, and none beyond the end of the address space");
            MemoryStatus ReadAt(ulong at, Span<byte> buffer) => space is null ? dump.Memory.Read(at, buffer) : space.Read(at, buffer);

            // A page that a process has not got may be one that it never touched, or that was swapped out.
            string Why(ulong at, MemoryStatus status) => process is { } number && status == MemoryStatus.NotMapped
                ? context.WhyNotMapped(number, at) : MemoryStatusText.Of(status) + ReaderContext.ClauseOf(at, isPhysical);

            return Run(context, new(ReadAt, Why), start, (int)count, kind);
        }, hasWords: true) { address, length, physical, pid, format };
    }

    private delegate MemoryStatus Read(ulong address, Span<byte> buffer);

    /// <summary>How memory is read, and why it cannot be.</summary>
    private sealed record Reader(Read Read, Func<ulong, MemoryStatus, string> Why);

    private static ulong Number(string text, string what) =>
        ReaderContext.TryNumber(text, out ulong number) ? number : throw new VmcoreException($"'{text}' is no {what}: expected a number, decimal or 0x...");

    private static int Run(ReaderContext context, Reader read, ulong start, int length, string format)
    {
        if (format == "string")
            return String(context, read, start, context.Parsed.GetResult("LENGTH") is null ? 4096 : length);
        if (format == "raw" && !context.IsJson)
            return Raw(context, read, start, length);

        int word = WordSize(format);
        if (length % word != 0)
            throw new VmcoreException($"length {length}: no whole number of words of {word} bytes, which --format {format} shows");
        byte[] bytes = new byte[length];
        bool[] known = new bool[length];
        string? why = null;
        int good = Fill(read, start, bytes, known, context.Dump.Memory.PageSize, ref why);
        if (good == 0 && length > 0)
            throw new VmcoreException($"{context.Dump.Name}: {length} bytes at 0x{start:x} cannot be read: {why}");
        if (good < length)
            context.Gap(new Finding(FindingCode.BytesUnreadable, length - good, length, why ?? ""));
        if (context.IsJson)
        {
            context.WriteJson(new ReadAnswer { Address = start, Length = length, Missing = length - good, Data = bytes });
        }
        else
        {
            var text = new StringBuilder();
            if (format == "hex")
                HexDump.Append(text, start, bytes, known);
            else
                HexDump.AppendWords(text, start, bytes, known, word, format == "pointers" ? context.SymbolAt : null);
            ReaderContext.Write(text.ToString());
        }

        return 0;
    }

    private static int WordSize(string format) => format switch { "u16" => 2, "u32" => 4, "u64" or "pointers" => 8, _ => 1 };

    // Page by page, then byte by byte of nothing: a page is there or not.
    private static int Fill(Reader read, ulong start, byte[] bytes, bool[] known, int pageSize, ref string? why)
    {
        int good = 0;
        for (int at = 0; at < bytes.Length;)
        {
            int step = Math.Min(pageSize - (int)((start + (ulong)at) & (ulong)(pageSize - 1)), bytes.Length - at);
            MemoryStatus status = read.Read(start + (ulong)at, bytes.AsSpan(at, step));
            if (status == MemoryStatus.Ok)
            {
                known.AsSpan(at, step).Fill(true);
                good += step;
            }
            else
            {
                bytes.AsSpan(at, step).Clear();
                why ??= read.Why(start + (ulong)at, status);
            }

            at += step;
        }

        return good;
    }

    private static int String(ReaderContext context, Reader read, ulong start, int limit)
    {
        var text = new List<byte>();
        byte[] one = new byte[1];
        string? reason = null;
        while (text.Count < limit)
        {
            MemoryStatus status = read.Read(start + (ulong)text.Count, one);
            if (status != MemoryStatus.Ok && text.Count == 0)
                throw new VmcoreException($"{context.Dump.Name}: 0x{start:x} cannot be read: {read.Why(start, status)}");
            reason = status == MemoryStatus.Ok ? null : read.Why(start + (ulong)text.Count, status);
            if (reason is not null || one[0] == 0)
                break;
            text.Add(one[0]);
        }

        if (reason is not null)
            context.Gap(new Finding(FindingCode.StringUnreadable, start + (ulong)text.Count, reason));
        string shown = string.Concat(text.Select(b => b is >= 0x20 and < 0x7f or (byte)'\n' or (byte)'\t' ? ((char)b).ToString() : $"\\x{b:x2}"));
        if (context.IsJson)
            context.WriteJson(new ReadAnswer { Address = start, Length = text.Count, Data = [.. text] });
        else
            ReaderContext.Write(shown + "\n");
        return 0;
    }

    private static int Raw(ReaderContext context, Reader read, ulong start, int length)
    {
        using Stream output = StandardStreams.OpenPlainOutput();
        byte[] buffer = new byte[Math.Min(length, Chunk)];
        for (int done = 0; done < length;)
        {
            Span<byte> part = buffer.AsSpan(0, Math.Min(buffer.Length, length - done));
            MemoryStatus status = read.Read(start + (ulong)done, part);
            if (status != MemoryStatus.Ok)
                throw new VmcoreException($"{context.Dump.Name}: {part.Length} bytes at 0x{start + (ulong)done:x} cannot be read: "
                    + $"{read.Why(start + (ulong)done, status)}; {done} bytes were written");
            output.Write(part);
            done += part.Length;
        }

        return 0;
    }
}

/// <summary>The answer of <c>vmcore read --json</c>: bytes as base64; those that are missing are zero in it.</summary>
internal sealed record ReadAnswer : ReaderAnswer
{
    public ulong Address { get; init; }

    public int Length { get; init; }

    /// <summary>Bytes that could not be read.</summary>
    public int Missing { get; init; }

    public byte[] Data { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json)
    {
        json.PutAddress(Address);
        json.Put(Length);
        json.Put(Missing);
        json.PutBytes(Data);
    }
}
