using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Cli.Code;
using Vmcore.Findings;
using Vmcore.Kernel.Code;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Cli.Reader.Code;

/// <summary><c>vmcore dis FILE [ADDRESS|SYMBOL[+OFFSET]…]</c></summary>
internal static class DisCommand
{
    // Around an address, if nothing says how much.
    private const int UsualBefore = 12;
    private const int UsualCount = 8;

    internal static Command Create()
    {
        var places = new Argument<string[]>("ADDRESS|SYMBOL")
        {
            Description = "Where: an address (0x...), a function, or SYMBOL+OFFSET as logs have it; without it where the kernel died.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var task = new Option<string?>("--task", "-t") { Description = "Where the task of this number, address or name was.", HelpName = "PID|TASK|NAME" };
        Option<int?> count = NumberOption.Create("--count", "N", "Show N instructions from there on.", int.MaxValue, "-n");
        Option<int?> before = NumberOption.Create("--before", "N", "Show N instructions before it, of the same function.", int.MaxValue, "-b");
        var forward = new Option<bool>("--forward", "-f") { Description = "Show all from there to the function's end." };
        var reverse = new Option<bool>("--reverse", "-r") { Description = "Show all from the function's start to there." };
        return new ReaderCommand("dis", "Show code as instructions: of a function, around an address, or where the kernel died.", context =>
        {
            ParseResult parsed = context.Parsed;
            if (!CodeFeature.IsIncluded)
                return CodeFeature.Refuse("dis");

            if (Decoders.Of(context.Dump.Architecture) is not { } decoder)
            {
                ReaderContext.Warn($"{context.Dump.Name}: {Decoders.WhyNone(context.Dump.Architecture)}");
                return CodeFeature.NotIncluded;
            }

            int asked = (parsed.GetValue(forward) ? 1 : 0) + (parsed.GetValue(reverse) ? 1 : 0)
                + (parsed.GetValue(count) is null && parsed.GetValue(before) is null ? 0 : 1);
            if (asked > 1)
                throw new VmcoreException("dis: --forward, --reverse, and --count or --before say how much in three ways: choose one");
            (int Before, int Count)? window = parsed.GetValue(forward) ? (0, CodeRequest.All)
                : parsed.GetValue(reverse) ? (CodeRequest.All, 1)
                : asked > 0 ? (parsed.GetValue(before) ?? 0, Math.Max(parsed.GetValue(count) ?? 1, 1)) : null;
            if (parsed.GetValue(count) == 0)
                throw new VmcoreException("dis: --count: found 0, expected 1 or more instructions");
            return Run(context, decoder, parsed.GetValue(places) ?? [], parsed.GetValue(task), window);
        }, hasWords: true) { places, task, count, before, forward, reverse };
    }

    private static int Run(ReaderContext context, IInstructionDecoder decoder, string[] words, string? task, (int Before, int Count)? window)
    {
        KernelSymbols symbols = context.Symbols;
        List<(CodeRequest Request, string? Title)> wanted = [];
        foreach (string word in words)
        {
            try
            {
                foreach ((ulong address, bool isWhole, bool isReturn) in Find(context, symbols, word))
                    wanted.Add((Request(address, isReturn, window ?? (isWhole ? (CodeRequest.All, CodeRequest.All) : null)), null));
            }
            catch (VmcoreException e) when (words.Length > 1)
            {
                // What is wrong with one word takes nothing from the others.
                context.Gap(new Finding(FindingCode.ExpressionFailed, e.Message));
            }
        }

        if (task is not null)
            AddTask(context, wanted, task, window);
        else if (words.Length == 0)
            AddCrash(context, wanted, window);
        var names = new CodeNames(symbols);
        List<CodeListingInfo> listings = [];
        foreach ((CodeRequest request, string? title) in wanted)
        {
            var listing = CodeListing.Read(context.Dump.KernelView, decoder, request);
            context.Gap(listing.Problems);
            listings.Add(CodeListingInfo.From(listing, names, context.Lines) with { Title = title });
        }

        if (context.IsJson)
        {
            context.WriteJson(new CodeAnswer { Listings = listings });
            return 0;
        }

        var text = new StringBuilder();
        foreach (CodeListingInfo listing in listings)
        {
            text.Append(text.Length > 0 ? "\n" : "").Append(context.Style.Bold(HeadOf(listing))).Append('\n');
            CodeText.Append(text, listing, context.Style);
        }

        ReaderContext.Write(text.ToString());
        return 0;
    }

    private static CodeRequest Request(ulong address, bool isReturn, (int Before, int Count)? window)
    {
        (int before, int count) = window ?? (UsualBefore, UsualCount);
        return new() { Address = address, IsReturn = isReturn, Before = before, Count = count };
    }

    private static string HeadOf(CodeListingInfo listing) => string.Create(CultureInfo.InvariantCulture,
        $"{(listing.Title is { } title ? title + ": " : "")}{listing.Function}{(listing.Module is { } module ? $" [{module}]" : "")}, {listing.Start:x16}")
        + (listing.End is { } end ? string.Create(CultureInfo.InvariantCulture, $"-{end:x16}") : "");

    // An address, or each function of a name: of several only the asker knows which is meant.
    private static List<(ulong Address, bool IsWhole, bool IsReturn)> Find(ReaderContext context, KernelSymbols symbols, string word)
    {
        if (ReaderContext.TryNumber(word, out ulong number))
            return [(number, false, false)];
        string name = word;
        string? module = null;
        int open = name.IndexOf(" [", StringComparison.Ordinal);
        if (open > 0 && name.EndsWith(']'))
            (name, module) = (name[..open], name[(open + 2)..^1]);
        ulong offset = 0;
        int plus = name.LastIndexOf('+');
        if (plus > 0)
        {
            string distance = name[(plus + 1)..];
            int slash = distance.IndexOf('/', StringComparison.Ordinal);
            if (!ReaderContext.TryNumber(slash < 0 ? distance : distance[..slash], out offset))
                throw new VmcoreException($"dis: '{distance}' is no offset: expected a number, decimal or 0x...");
            name = name[..plus];
        }

        List<(ulong, bool, bool)> found = [];
        ulong? behind = null;
        KernelSymbol? other = null;
        foreach (KernelSymbol symbol in symbols.FindAll(name))
        {
            if (module is not null && symbol.Module != module)
                continue;
            ulong? size = null;
            if (!CodeListing.IsCode(symbol))
                other = symbol;
            else if (offset > 0 && symbols.TryResolve(symbol.Address, out _, out _, out size) && offset > size)
                behind = size;
            else
                found.Add((unchecked(symbol.Address + offset), plus < 0, offset > 0 && offset == size)); // A call that never returns may be its last.
        }

        if (found.Count > 1)
            ReaderContext.Warn($"{found.Count} functions are called {name}");
        return found.Count > 0 ? found : throw new VmcoreException($"{context.Dump.Name}: " + (
            behind is { } length ? $"{word} lies behind the end of {name}, which has 0x{length:x} bytes"
            : other is not null ? $"{name} is no function"
            : $"no symbol {name}{(context.Dump.Modules is null ? " of the kernel's image; those of modules cannot be read" : "")}"));
    }

    private static void AddTask(ReaderContext context, List<(CodeRequest Request, string? Title)> wanted, string word, (int Before, int Count)? window)
    {
        _ = context.NamedTypes;
        bool isNumber = ReaderContext.TryNumber(word, out ulong value);
        var stacks = KernelStacks.Load(context.Dump.KernelView);
        bool isFound = false;
        foreach (KernelTask task in context.Dump.KernelView.RequireTasks().Tasks)
        {
            if (isNumber ? task.Address != value && (ulong)task.Pid != value : task.Name != word)
                continue;
            isFound = true;
            TaskStack stack = stacks.Trace(task);
            context.Gap(stack.Problem);
            string title = string.Create(CultureInfo.InvariantCulture, $"PID {task.Pid} \"{task.Name}\"");
            if (stack.Frames.FirstOrDefault(static f => f is { IsReliable: true, Registers: not { IsUser: true } }) is { } frame)
                wanted.Add((Request(frame.Address, !frame.IsInterrupted, window), title));
            else
                throw new MissingInformationException($"{context.Dump.Name}: {title}: where it was in the kernel is not known");
        }

        if (!isFound)
            throw new VmcoreException($"{context.Dump.Name}: there is no task {word}");
    }

    private static void AddCrash(ReaderContext context, List<(CodeRequest Request, string? Title)> wanted, (int Before, int Count)? window)
    {
        _ = context.NamedTypes;
        if (context.Dump.TasksProblem is { } problem)
        {
            // Without tasks there are no stacks; the log may have the place.
            context.Gap(problem);
            if (CrashCause.Read(context.Dump.KernelView).Path is not [{ Function: { } function } place, ..])
                throw new VmcoreException($"{context.Dump.Name}: where the kernel died is not in its log; name an address or a function");
            string word = string.Create(CultureInfo.InvariantCulture, $"{function}+{place.Offset}{(place.Module is { } module ? $" [{module}]" : "")}");
            foreach ((ulong address, _, bool isReturn) in Find(context, context.Symbols, word))
                wanted.Add((Request(address, isReturn, window), "By the log the CPU was at"));
            return;
        }

        var stacks = KernelStacks.Load(context.Dump.KernelView);
        List<(CpuRegisters Registers, bool IsInterrupted)> places = CodePlaces.Of(CrashCause.Read(context.Dump.KernelView, stacks), stacks);
        if (places.Count == 0)
            throw new VmcoreException($"{context.Dump.Name}: the kernel did not panic, or where it was is not known; name an address or a function");
        foreach ((CpuRegisters registers, bool isInterrupted) in places)
        {
            string title = isInterrupted ? "An exception or interrupt came at" : "The CPU was at";
            if (stacks.IsCode(registers.InstructionPointer))
                wanted.Add((Request(registers.InstructionPointer, false, window), title));
            else
                context.Gap(new Finding(FindingCode.CrashStateUnknown, string.Create(CultureInfo.InvariantCulture,
                    $"{title} 0x{registers.InstructionPointer:x}, which is no code of the kernel: a wrong pointer led there (vmcore bt -c has the caller)")));
        }
    }
}
