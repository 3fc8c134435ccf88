using System.Text;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Symbols;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Cli.Tests.Conformance;

/// <summary>
/// Erase rules on a real crash. What is to be erased is first replaced by canaries, also in a register note; then no dump, in whatever format and
/// with whatever codec, may have one of them anywhere, and everything else must be as it was.
/// </summary>
public sealed class EraseTests
{
    private const string Canary = "ERASE-CANARY";
    private const int LogBytes = 20_000;

    private const string Rules = """
        # Everything that a rule can name, on one kernel. Types are out of the dump.
        erase init_uts_ns.name.nodename
        erase (char *)saved_command_line
        [vmlinux]
        erase prb.text_data_ring.data size 20000   # crosses pages
        for s in super_blocks within super_block:s_list
            erase s.s_id
        endfor
        erase init_task.files nullify
        [no_such_module]
        erase something
        """;

    public static TheoryData<string> Ways =>
        ["-d 31", "-d 31 -c", "-d 31 -l", "-d 31 -p", "-d 31 -z", "-d 31 -E", "-d 31 -F", "-d 31 -E -F", "-d 0", "-d 1 -z --num-threads 1"];

    [Theory]
    [MemberData(nameof(Ways))]
    public void NothingThatIsErasedIsLeftAnywhere(string way)
    {
        using TemporaryFolder folder = new();
        (string core, Dictionary<string, PhysicalRange> places) = Plant(folder);
        string rules = Write(folder, Rules), output = folder.File("dump");
        string[] options = [.. way.Split(' '), "--config", rules, core];
        if (way.Contains("-F", StringComparison.Ordinal))
            File.WriteAllBytes(output, Tool.Dump(options).OutputBytes);
        else
            Assert.Contains("no_such_module", Tool.Dump([.. options, output]).Output, StringComparison.Ordinal);

        // The bytes of the file, and those of each page.
        Assert.Equal(-1, File.ReadAllBytes(output).AsSpan().IndexOf(Encoding.ASCII.GetBytes(Canary)));
        using CrashDump dump = CrashDump.Open(output), raw = CrashDump.Open(core);
        byte[] page = new byte[4096], before = new byte[4096];
        for (ulong pfn = 0; pfn < dump.Memory.MaxPfn; pfn++)
        {
            if (dump.Unfiltered.ReadPage(pfn, page) != MemoryStatus.Ok)
                continue;
            raw.Memory.ReadPage(pfn, before);
            Assert.Equal(-1, page.AsSpan().IndexOf("ERASE-CAN"u8));
            // In an ELF dump a page that is left out between others is zero.
            if (page.AsSpan().SequenceEqual(before) || (dump.Elf is not null && !page.AsSpan().ContainsAnyExcept((byte)0)))
                continue;
            for (int i = 0; i < page.Length; i++)
            {
                ulong address = (pfn << 12) + (ulong)i;
                if (page[i] == before[i])
                    continue;
                KeyValuePair<string, PhysicalRange> place = places.FirstOrDefault(p => p.Value.Contains(address));
                Assert.True(place.Key is not null, $"0x{address:x} was 0x{before[i]:x2} and is 0x{page[i]:x2}, where nothing is erased");
                Assert.Equal(place.Key == "files" ? (byte)0 : (byte)'X', page[i]);
            }
        }

        Assert.Contains("erase init_uts_ns.name.nodename size 65\n", dump.EraseInfo, StringComparison.Ordinal);
        Assert.Contains("erase s.s_id size 32\n", dump.EraseInfo, StringComparison.Ordinal);
        Assert.Contains("erase init_task.files nullify\n", dump.EraseInfo, StringComparison.Ordinal);
        Assert.True(dump.Kernel!.IsVerified);
        Assert.StartsWith("XXXX", dump.Kernel.Utsname!.NodeName, StringComparison.Ordinal);
        if (dump.Kdump is { } kdump)
            Assert.Equal(("x86_64", "Linux"), (kdump.Header.Utsname.Machine, kdump.Header.Utsname.Sysname));
    }

    [Fact]
    public void RefilteringKeepsWhatWasErasedAndTheListOfIt()
    {
        using TemporaryFolder folder = new();
        (string core, _) = Plant(folder);
        string first = folder.File("first"), second = folder.File("second"), third = folder.File("third");
        Tool.Dump("-c", "-d", "1", "--config", Write(folder, "erase (char *)saved_command_line\n"), core, first);
        Tool.Dump("-z", "-d", "31", "--config", Write(folder, "erase init_uts_ns.name.nodename\n"), first, second);
        Tool.Dump("-l", "-d", "31", second, third);
        using CrashDump dump = CrashDump.Open(third);
        Assert.Matches("^erase \\(char \\*\\)saved_command_line size [0-9]+\nerase init_uts_ns.name.nodename size 65\n$", dump.EraseInfo);
    }

    [Theory]
    [InlineData("erase no_such_symbol\n", "no_such_symbol")]
    [InlineData("erase init_uts_ns.name.absent\n", "absent")]
    [InlineData("erase init_task.files.fdtab.close_on_exec nullify\nerase init_uts_ns.name nullify\n", "line 2")]
    [InlineData("erase high_memory\n", "size or nullify")]
    [InlineData("for x in super_blocks within super_block:absent\nerase x\nendfor\n", "absent")]
    [InlineData("for x in init_task via comm\nerase x.comm\nendfor\n", "no pointer")]
    [InlineData("for x in init_task\nerase x.comm\nendfor\n", "no array")]
    [InlineData("erase init_task.comm size init_task.comm\n", "no integer")]
    [InlineData("erase init_task.in_execve\n", "bit-field")]
    [InlineData("erase (struct absent *)init_task.x\n", "not known")]
    public void ARuleThatCannotBeAppliedLeavesNoDump(string rules, string reason)
    {
        using TemporaryFolder folder = new();
        string core = RealCrash.Get("sample rfc-v2-6.1").Path, output = folder.File("dump"), config = Write(folder, rules);
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-d", "31", "--config", config, core, output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(reason, result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(output));
        Assert.Contains(reason, Tool.Dump("-d", "31", "--config", config, "--skip-failed-erase", core, output).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("erase\n")]
    [InlineData("erase a size\n")]
    [InlineData("erase a size 0\n")]
    [InlineData("erase a size 1X\n")]
    [InlineData("erase a nullify now\n")]
    [InlineData("erase a..b\n")]
    [InlineData("erase (struct a b\n")]
    [InlineData("for x in y\n")]
    [InlineData("for x in y\nendfor\n")]
    [InlineData("for x on y\nerase x\nendfor\n")]
    [InlineData("for x in y within s\nerase x\nendfor\n")]
    [InlineData("for x in y\nfor z in x\nerase z\nendfor\nendfor\n")]
    [InlineData("endfor\n")]
    [InlineData("[vmlinux\nerase a\n")]
    [InlineData("delete a\n")]
    public void ALineThatIsNotUnderstoodIsAnErrorAndNamesIt(string rules)
    {
        using TemporaryFolder folder = new();
        string core = RealCrash.Get("sample rfc-v2-6.1").Path, output = folder.File("dump");
        ToolResult result = Tool.Run(Executable.Makedumpfile, "--config", Write(folder, rules), core, output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("line ", result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(output));
    }

    [Theory]
    [InlineData(false, "does not come back")]
    [InlineData(true, "ends in NULL")]
    public void ADamagedListLeavesNoDump(bool cut, string reason)
    {
        using TemporaryFolder folder = new();
        (string core, _) = Plant(folder);
        using (FileStream file = new(core, FileMode.Open, FileAccess.ReadWrite))
        using (CrashDump dump = CrashDump.Open(core))
        {
            Assert.True(dump.Kernel!.Memory.TryReadUInt64(Address(dump.Symbols!, "super_blocks"), out ulong first));
            Put(dump, file, [], "next", first, BitConverter.GetBytes(cut ? 0 : first), 8);
        }

        string output = folder.File("dump");
        ToolResult result = Tool.Run(Executable.Makedumpfile, "-d", "31", "--config",
            Write(folder, "for s in super_blocks within super_block:s_list\nerase s.s_id\nendfor\n"), core, output);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(reason, result.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(output));
    }

    private static string Write(TemporaryFolder folder, string rules)
    {
        string path = folder.File("rules.conf");
        File.WriteAllText(path, rules);
        return path;
    }

    /// <summary>Copies the crash and puts canaries where the rules erase.</summary>
    private static (string Core, Dictionary<string, PhysicalRange> Places) Plant(TemporaryFolder folder)
    {
        string core = folder.File("vmcore");
        Tool.Succeed("cp", "--sparse=always", RealCrash.Get("sample rfc-v2-6.1").Path, core);
        Tool.Succeed("chmod", "u+rw", core);
        Dictionary<string, PhysicalRange> places = [];
        using FileStream file = new(core, FileMode.Open, FileAccess.ReadWrite);
        using CrashDump dump = CrashDump.Open(core);
        KernelSymbols symbols = dump.Symbols!;
        BtfTypes types = dump.KernelView.OwnTypes!;

        ulong names = Address(symbols, "init_uts_ns") + (ulong)types.MemberOffset("uts_namespace", "name.nodename")!.Value;
        Put(dump, file, places, "nodename", names, Text("node", 64), 65);
        Assert.True(dump.Kernel!.Memory.TryReadUInt64(Address(symbols, "saved_command_line"), out ulong line));
        Put(dump, file, places, "line", line, [.. Text("line", 20), 0], 21);
        Assert.True(dump.Kernel.Memory.TryReadUInt64(Address(symbols, "prb"), out ulong ring));
        Assert.True(dump.Kernel.Memory.TryReadUInt64(ring + (ulong)types.MemberOffset("printk_ringbuffer", "text_data_ring.data")!.Value, out ulong log));
        Put(dump, file, places, "log", log, Text("log", LogBytes), LogBytes);
        ulong head = Address(symbols, "super_blocks"), at = head;
        int listOffset = types.MemberOffset("super_block", "s_list")!.Value, idOffset = types.MemberOffset("super_block", "s_id")!.Value, count = 0;
        while (dump.Kernel.Memory.TryReadUInt64(at, out at) && at != head)
            Put(dump, file, places, $"s_id {++count}", at - (ulong)listOffset + (ulong)idOffset, Text("s_id", 31), 32);
        Assert.True(count > 3);
        Put(dump, file, places, "files", Address(symbols, "init_task") + (ulong)types.MemberOffset("task_struct", "files")!.Value, [], 8);

        // Registers may hold a copy of anything.
        ElfNote status = dump.Notes.First(n => n.IsCpuStatus);
        ElfSegment notes = dump.Elf!.NoteSegments[0];
        file.Position = (long)notes.Offset + status.DescriptorOffset + 112;
        file.Write(Text("node", 64));
        return (core, places);
    }

    private static byte[] Text(string what, int length)
    {
        StringBuilder text = new();
        for (int i = 0; text.Length < length; i++)
            text.Append(Canary).Append('-').Append(what).Append(i).Append('/');
        return Encoding.ASCII.GetBytes(text.ToString(0, length));
    }

    private static ulong Address(KernelSymbols symbols, string name)
    {
        Assert.True(symbols.TryFind(name, out ulong address), name);
        return address;
    }

    private static void Put(CrashDump dump, FileStream file, Dictionary<string, PhysicalRange> places, string name, ulong address, byte[] bytes, int length)
    {
        for (int done = 0, part = 0; done < length; part++)
        {
            ulong physical = dump.Kernel!.Memory.Translate(address + (ulong)done).PhysicalAddress;
            int step = Math.Min(length - done, 4096 - (int)(physical & 4095));
            places.Add(part == 0 ? name : $"{name} part {part}", new(physical, physical + (ulong)step));
            // The kernel's image is in the file twice.
            foreach (ElfSegment load in dump.Loads.Where(l => physical >= l.PhysicalAddress && physical < l.PhysicalAddress + l.FileSize))
            {
                file.Position = (long)(load.Offset + (physical - load.PhysicalAddress));
                file.Write(bytes.AsSpan(Math.Min(done, bytes.Length)..Math.Min(done + step, bytes.Length)));
            }

            done += step;
        }
    }
}
