using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Identity;

namespace Vmcore.Kernel.Vmlinux;

/// <summary>A place in the kernel's source.</summary>
/// <param name="Function">The function; null if it is not known.</param>
/// <param name="File">The file, below the folder of the kernel's build; null if it is not known.</param>
/// <param name="Line">The line, from 1; null if it is not known.</param>
/// <param name="IsInlined">True if the function has no frame of its own: the compiler put it into the next one of the list.</param>
public sealed record SourcePlace(string? Function, string? File, int? Line, bool IsInlined);

/// <summary>Where in the source the code of the kernel's image is: by the debug information of its vmlinux, a unit of it at a time.</summary>
/// <remarks>Not safe for several threads at once.</remarks>
public sealed class SourceLines : IDisposable
{
    private readonly VmlinuxFile _vmlinux;
    private readonly ulong _offset;
    private readonly ulong _start;
    private readonly ulong _end;
    private readonly bool _isOwner;

    private SourceLines(VmlinuxFile vmlinux, ulong offset, ulong start, ulong end, bool isOwner)
    {
        (_vmlinux, _offset, _start, _end) = (vmlinux, offset, start, end);
        _isOwner = isOwner;
    }

    /// <summary>The file that they are from.</summary>
    public string Path => _vmlinux.Path;

    /// <summary>How the debug information is damaged, as far as it was asked; null if it is not.</summary>
    public Finding? Problem => _vmlinux.CodeProblem
        ?? (_vmlinux.Code?.Problem is { } damage ? new(FindingCode.SourceLinesMissing, $"{_vmlinux.Path}: {damage}") : null);

    /// <summary>Gets ready; nothing is read yet.</summary>
    /// <param name="vmlinux">The vmlinux; it must live as long as this.</param>
    /// <param name="info">Says where the kernel ran.</param>
    /// <returns>Null if it is not known by how much the kernel was moved.</returns>
    internal static SourceLines? TryCreate(VmlinuxFile vmlinux, VmcoreInfo info) => TryCreate(vmlinux, info, isOwner: false);

    /// <summary>Opens a file that was found, for its lines alone.</summary>
    /// <param name="path">A vmlinux, or the file of its debug information.</param>
    /// <param name="info">What the dump says of its kernel.</param>
    /// <param name="dump">The dump's name, for messages.</param>
    /// <param name="limits">The bounds on what it may ask for; null for the default ones.</param>
    /// <returns>Null if the dump or the file does not say where the kernel ran.</returns>
    /// <exception cref="VmcoreException">It cannot be read, or is not proven to be of this kernel: the build ids must be the same.</exception>
    public static SourceLines? Open(string path, VmcoreInfo info, string dump, ReadLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(info);
        var vmlinux = VmlinuxFile.Open(path, limits);
        SourceLines? lines = null;
        try
        {
            if (info.BuildId is null || vmlinux.BuildId is null)
                throw new MissingInformationException($"{path}: that it is of the kernel that crashed is not proven: there is no build id in it, or in {dump}");
            if (vmlinux.Mismatch(info, dump) is { } mismatch)
                throw new MissingInformationException(mismatch);
            return lines = TryCreate(vmlinux, info, isOwner: true);
        }
        finally
        {
            if (lines is null)
                vmlinux.Dispose();
        }
    }

    /// <summary>Closes the file, if it was opened for the lines alone.</summary>
    public void Dispose()
    {
        if (_isOwner)
            _vmlinux.Dispose();
    }

    private static SourceLines? TryCreate(VmlinuxFile vmlinux, VmcoreInfo info, bool isOwner) =>
        info.Symbol("_stext") is { } running && vmlinux.Find("_stext") is { } linked
            ? new(vmlinux, unchecked(running - linked), linked, vmlinux.Find("_end") ?? ulong.MaxValue, isOwner) : null;

    /// <summary>The place of an instruction, the innermost function first; the last one is the function that has the frame.</summary>
    /// <param name="address">Virtual address where the kernel ran: of an instruction, or a byte of it.</param>
    /// <returns>Empty if nothing is known: the address is of a module or generated, or the debug information does not have it.</returns>
    public IReadOnlyList<SourcePlace> Find(ulong address)
    {
        ulong linked = unchecked(address - _offset);
        if (linked < _start || linked >= _end || _vmlinux.Code is not { } code)
            return [];
        return [.. code.Find(linked).Select(static p => new SourcePlace(p.Function, p.File, p.Line > 0 ? p.Line : null, p.IsInlined))];
    }
}
