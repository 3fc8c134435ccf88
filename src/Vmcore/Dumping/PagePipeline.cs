namespace Vmcore.Dumping;

/// <summary>
/// Takes kept pages through reading and compression to a consumer, those that are worth more first, then in ascending order. Workers take whole batches, and
/// the output does not depend on their number.
/// </summary>
internal sealed class PagePipeline
{
    private readonly DumpRequest _request;
    private readonly DumpPlan _plan;
    private readonly KeptWindows _windows;
    private readonly WorthOrder _order;
    private readonly Workers _workers;

    internal PagePipeline(DumpRequest request, DumpPlan plan, KeptWindows windows, WorthOrder order, Workers workers)
    {
        _request = request;
        _plan = plan;
        _windows = windows;
        _order = order;
        _workers = workers;
    }

    /// <summary>Runs until all pages are consumed.</summary>
    /// <param name="consume">Gets each batch in order; returns false to stop.</param>
    /// <param name="cancel">Stops at the next batch.</param>
    internal void Run(Func<PageBatch, bool> consume, CancellationToken cancel)
    {
        var pages = new KeptPages(_request, _plan, _windows, _order, _workers);
        Memory.CrashMemory memory = _request.CopySource;
        bool dropZero = (_request.Options.Level & Memmap.DumpLevel.Zero) != 0;
        _workers.RunInOrder<PageBatch>(
            () => new(memory, _request.Options.IsCompressing ? PageBatch.CompressedBytes : PageBatch.MovedBytes, dropZero, _request.Options.ShareEqualPages),
            batch => !cancel.IsCancellationRequested && pages.Take(batch),
            batch => !cancel.IsCancellationRequested && consume(batch));
    }
}
