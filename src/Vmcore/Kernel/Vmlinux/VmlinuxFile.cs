using System.Text;
using Vmcore.Debugging;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Identity;

namespace Vmcore.Kernel.Vmlinux;

/// <summary>
/// A kernel image with debug information: symbols, types, and which kernel it is. Its debug information may be in a file of its own, which is looked
/// for as debuggers do: by .gnu_debuglink beside it, and by the build id below <c>/usr/lib/debug</c>.
/// </summary>
/// <remarks>Not safe for several threads at once.</remarks>
public sealed class VmlinuxFile : IDisposable
{
    private const string DebugRoot = "/usr/lib/debug";

    private readonly ElfObjectFile _file;
    private readonly Lazy<string?> _release;
    private readonly Lazy<(DwarfTypes? Value, Finding? Problem)> _types;
    private DwarfCode? _code;
    private bool _codeAsked;
    private ElfObjectFile? _debugFile;
    private bool _isSearched;

    private VmlinuxFile(string path, ElfObjectFile file)
    {
        Path = path;
        _file = file;
        Symbols = ElfSymbols.Read(file);
        _release = new(ReadRelease);
        _types = new(LoadTypes);
    }

    /// <summary>The path as the user gave it.</summary>
    public string Path { get; }

    /// <summary>The bounds on what it may ask for.</summary>
    internal ReadLimits Limits => _file.Limits;

    /// <summary>The machine that the kernel is for.</summary>
    internal ElfMachine Machine => _file.Machine;

    /// <summary>The symbols, with link-time addresses.</summary>
    internal ElfSymbols Symbols { get; }

    /// <summary>The sections.</summary>
    internal IReadOnlyList<ElfSection> Sections => _file.Sections;

    /// <summary>True if the kernel's own type information is in it.</summary>
    internal bool HasBtf => _file.Find(".BTF") is { HasBytes: true };

    /// <summary>The release as <c>uname -r</c> gives it; null if the file does not have it (a .debug file has no data).</summary>
    public string? Release => _release.Value;

    /// <summary>The build id in hexadecimal digits; null if there is none.</summary>
    public string? BuildId => _file.ReadBuildId();

    /// <summary>The types; null if there are none (see <see cref="TypesProblem"/>). Read when first asked for, which takes seconds.</summary>
    /// <exception cref="DumpFormatException">The debug information is damaged as a whole.</exception>
    internal DwarfTypes? Types => _types.Value.Value;

    /// <summary>Why it gives no types (its debug information is missing or cannot be read), or what of them could not be read; null if all is well.</summary>
    public Finding? TypesProblem => _types.Value.Problem;

    /// <summary>Where in the source its code is; null if it has no debug information, or it is damaged (see <see cref="CodeProblem"/>).</summary>
    internal DwarfCode? Code
    {
        get
        {
            if (!_codeAsked)
            {
                _codeAsked = true;
                try
                {
                    _code = DwarfCode.TryOpen(DebugFile());
                }
                catch (DumpFormatException e)
                {
                    CodeProblem = new(FindingCode.SourceLinesMissing, e.Message);
                }
            }

            return _code;
        }
    }

    /// <summary>How the debug information is damaged, known when <see cref="Code"/> was asked for; null if it is not, or there is none.</summary>
    internal Finding? CodeProblem { get; private set; }

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limits">The bounds on what it may ask for; null for the default ones.</param>
    /// <exception cref="FileAccessException">It cannot be opened or read.</exception>
    /// <exception cref="DumpFormatException">It is no ELF file with the symbols of a kernel.</exception>
    public static VmlinuxFile Open(string path, ReadLimits? limits = null)
    {
        ElfObjectFile file = ElfObjectFile.Open(path, limits);
        try
        {
            var vmlinux = new VmlinuxFile(path, file);
            if (!vmlinux.Symbols.TryFind("_stext", out _))
                throw new DumpFormatException(path, 0, "ELF symbol table", vmlinux.Symbols.Count > 1 ? "no symbol _stext" : "no symbols",
                    "the symbols of a kernel: a vmlinux that is not stripped");
            return vmlinux;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads a link-time address of a symbol.</summary>
    /// <returns>Null if there is no such symbol.</returns>
    internal ulong? Find(string symbol) => Symbols.TryFind(symbol, out ulong address) ? address : null;

    /// <summary>Writes the vmcoreinfo of this kernel, as <c>makedumpfile -g</c> does; with it a dump that has none can be opened
    /// (<c>CrashDumpOptions.VmcoreInfo</c>).</summary>
    /// <returns>Lines <c>KEY=VALUE</c> with addresses of the linker.</returns>
    public string WriteVmcoreInfo() => VmcoreInfoWriter.Write(this);

    /// <summary>Says why a dump is not of this kernel: by the build id, and where one of them has none by the release.</summary>
    /// <param name="info">What the dump says of its kernel.</param>
    /// <param name="dump">The dump's name.</param>
    /// <returns>A sentence for the operator; null if nothing speaks against it.</returns>
    public string? Mismatch(VmcoreInfo info, string dump)
    {
        ArgumentNullException.ThrowIfNull(info);
        if (BuildId is { } id && info.BuildId is { } running)
            return string.Equals(id, running, StringComparison.OrdinalIgnoreCase)
                ? null
                : $"{Path} and {dump} don't match: the build ids are {id} and {running}.";
        if (Release is { } release && info.OsRelease is { } actual && release != actual)
            return $"{Path} and {dump} don't match: the releases are '{release}' and '{actual}'.";
        return null;
    }

    /// <summary>Reads the kernel's own type information (section .BTF).</summary>
    /// <param name="problem">One clause for the operator on what is wrong with it; null if nothing is, also if there is none.</param>
    /// <returns>Null if there is none, or it is damaged.</returns>
    internal BtfTypes? TryReadBtf(out string? problem)
    {
        problem = null;
        if (_file.Find(".BTF") is not { HasBytes: true } section)
            return null;
        if (section.Size > Limits.BtfBytes)
        {
            problem = $"{Path}: .BTF has {section.Size} bytes, at most {Limits.BtfBytes} are read";
            return null;
        }

        byte[] bytes = new byte[section.Size];
        int read = _file.Source.Read(section.Offset, bytes);
        BtfTypes? types = BtfTypes.TryParse(bytes.AsSpan(0, Math.Max(read, 0)), out string? fault, Limits);
        problem = fault is null ? null : $"{Path}: .BTF: {fault}";
        return types;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _debugFile?.Dispose();
        _file.Dispose();
    }

    private string? ReadRelease()
    {
        byte[] banner = new byte[256];
        if (Find("linux_banner") is { } address && _file.Read(address, banner) > 0 && banner.AsSpan().StartsWith("Linux version "u8))
        {
            ReadOnlySpan<byte> text = banner.AsSpan("Linux version ".Length);
            int end = text.IndexOf((byte)' ');
            if (end > 0)
                return Encoding.ASCII.GetString(text[..end]);
        }

        return null;
    }

    // The file with the debug information: this one, or the one that it names.
    private ElfObjectFile DebugFile()
    {
        if (!_isSearched && !DwarfSections.AreIn(_file))
            _debugFile = FindDebugFile();
        _isSearched = true;
        return _debugFile ?? _file;
    }

    private (DwarfTypes? Value, Finding? Problem) LoadTypes()
    {
        DwarfTypes? types = DwarfTypes.TryLoad(DebugFile(), out string? problem);
        return (types, problem is null ? null : new(FindingCode.TypesMissing, $"{_debugFile?.Source.Name ?? Path}: {problem}"));
    }

    private ElfObjectFile? FindDebugFile()
    {
        foreach (string candidate in DebugFiles())
        {
            if (!File.Exists(candidate))
                continue;
            ElfObjectFile? file = null;
            try
            {
                file = ElfObjectFile.Open(candidate, Limits);
                if (DwarfSections.AreIn(file) && file.ReadBuildId() == BuildId)
                    return file;
            }
            catch (VmcoreException)
            {
                // Not the one.
            }

            file?.Dispose();
        }

        return null;
    }

    private IEnumerable<string> DebugFiles()
    {
        if (BuildId is { Length: > 2 } id)
            yield return $"{DebugRoot}/.build-id/{id[..2]}/{id[2..]}.debug";
        if (_file.Find(".gnu_debuglink") is not { HasBytes: true, Size: < 4096 } link)
            yield break;
        byte[] bytes = new byte[link.Size];
        int read = _file.Source.Read(link.Offset, bytes);
        int nul = bytes.AsSpan(0, read).IndexOf((byte)0);
        string name = nul > 0 ? System.IO.Path.GetFileName(Encoding.UTF8.GetString(bytes, 0, nul)) : "";
        if (name.Length == 0)
            yield break;
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path)) ?? "/";
        yield return System.IO.Path.Combine(folder, name);
        yield return System.IO.Path.Combine(folder, ".debug", name);
        yield return DebugRoot + System.IO.Path.Combine(folder, name);
    }
}
