namespace Vmcore.Dumping;

/// <summary>What is known of neighbouring windows without a look at their pages.</summary>
internal enum WindowKind
{
    /// <summary>Nothing: one window, to be classified.</summary>
    Mixed,

    /// <summary>All pages exist, are in the input, and are left out as user data of pmem.</summary>
    UserData,

    /// <summary>All pages exist, and the input has the content of none.</summary>
    Absent,

    /// <summary>As <see cref="Absent"/>, and only the input's headers say that there is such memory: the kernel has no struct page for it.</summary>
    Claimed,
}

/// <summary>Neighbouring windows with one answer.</summary>
/// <param name="Number">The first window's number.</param>
/// <param name="Count">Windows, 1 or more; 1 for <see cref="WindowKind.Mixed"/>.</param>
/// <param name="Kind">The answer.</param>
internal readonly record struct WindowRun(ulong Number, ulong Count, WindowKind Kind)
{
    /// <summary>First pfn.</summary>
    internal ulong FirstPfn => Number << PlanWindow.Shift;

    /// <summary>One past the last pfn.</summary>
    internal ulong EndPfn => (Number + Count) << PlanWindow.Shift;

    /// <summary>Number of pages.</summary>
    internal ulong Pages => Count << PlanWindow.Shift;

    /// <summary>True if the window is to be classified; otherwise none of the pages stays.</summary>
    internal bool IsMixed => Kind == WindowKind.Mixed;
}
