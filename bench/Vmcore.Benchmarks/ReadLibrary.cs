using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Vmcore.IO;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Benchmarks;

/// <summary>
/// Reads pages of a dump through the library, as bench/reading/kdumpfile.c reads them through libkdumpfile. <c>read-library [--mapped] DUMP REQUESTS</c> prints
/// the seconds that the reads took and a checksum; <c>read-library --list DUMP OUT</c> writes the physical addresses of all pages that can be read.
/// </summary>
internal static class ReadLibrary
{
    private const int PageSize = 4096;

    internal static int Run(ReadOnlySpan<string> words)
    {
        if (words is ["--list", var listed, var output])
            return List(listed, output);
        bool mapped = words is ["--mapped", ..];
        if (words[(mapped ? 1 : 0)..] is not [var path, var requests])
        {
            Console.Error.WriteLine("usage: read-library [--list|--mapped] DUMP FILE");
            return 2;
        }

        ReadOnlySpan<ulong> addresses = MemoryMarshal.Cast<byte, ulong>(File.ReadAllBytes(requests));
        using CrashDump dump = CrashDump.Open(path, new() { Mapping = mapped ? MappingChoice.AllFiles : MappingChoice.ProcVmcore });
        byte[] page = new byte[PageSize];
        ulong sum = 0;

        // What is compiled while it runs is not what is measured: an executable made ahead of time has it done.
        for (int i = 0; i < Math.Min(addresses.Length, 2000); i++)
            _ = dump.Memory.Read(addresses[i], page);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < addresses.Length; i++)
        {
            if (dump.Memory.Read(addresses[i], page) != MemoryStatus.Ok)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"0x{addresses[i]:x} cannot be read"));
            sum ^= BinaryPrimitives.ReadUInt64LittleEndian(page) + (ulong)i;
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(start).TotalSeconds:0.000000} {sum:x16}"));
        return 0;
    }

    private static int List(string path, string output)
    {
        using CrashDump dump = CrashDump.Open(path);
        using FileStream file = File.Create(output);
        byte[] page = new byte[PageSize], address = new byte[sizeof(ulong)];
        foreach (PfnRange range in dump.Memory.Extents)
        {
            for (ulong pfn = range.Start; pfn < range.End; pfn++)
            {
                if (dump.Memory.Read(pfn * PageSize, page) != MemoryStatus.Ok)
                    continue;
                BinaryPrimitives.WriteUInt64LittleEndian(address, pfn * PageSize);
                file.Write(address);
            }
        }

        return 0;
    }
}
