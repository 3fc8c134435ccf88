using Vmcore.Compression;

namespace Vmcore.Dumping;

/// <summary>
/// Threads that take jobs from one queue, oldest first. With one thread there is none beside the caller's: a job is done when it is submitted.
/// </summary>
internal sealed class Workers : IDisposable
{
    private readonly Queue<WorkerJob> _queue = new();
    private readonly Thread[] _threads;
    private readonly WorkerTools? _own;
    private bool _closed;

    /// <summary>Starts the threads.</summary>
    /// <param name="options">How many there are, and how they compress.</param>
    /// <param name="classifiers">Make their classifiers.</param>
    internal Workers(DumpOptions options, Classifiers classifiers)
    {
        int count = ThreadCount.Choose(options.Threads);
        PageCodec codec = options.IsCompressing ? options.Codec : PageCodec.None;
        _threads = count == 1 ? [] : new Thread[count];
        if (count == 1)
            _own = new(classifiers, codec);
        // Jobs ahead, so that nobody waits while the caller takes a result: it has no core of its own, and may wait for one some milliseconds. Where
        // pages are only moved, few: what was read is to be written before it has left the cache.
        Ahead = count == 1 ? 1 : (2 * count) + (options.IsCompressing ? 12 : 1);
        for (int i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new(() => Work(new(classifiers, codec)), maxStackSize: 1 << 20) { IsBackground = true };
            _threads[i].Start();
        }
    }

    /// <summary>Jobs of one kind that are worth having under way.</summary>
    internal int Ahead { get; }

    /// <summary>Hands over a job.</summary>
    internal void Submit(WorkerJob job)
    {
        job.Reset();
        if (_own is not null)
        {
            job.Execute(_own);
            return;
        }

        lock (_queue)
        {
            _queue.Enqueue(job);
            Monitor.Pulse(_queue);
        }
    }

    /// <summary>Runs jobs of one kind with several under way, and gives the results back in order.</summary>
    /// <param name="create">Makes a job that can be used again and again.</param>
    /// <param name="fill">Says what a job is to do; false if there is nothing more.</param>
    /// <param name="consume">Takes a result; false to stop.</param>
    internal void RunInOrder<TJob>(Func<TJob> create, Func<TJob, bool> fill, Func<TJob, bool> consume)
        where TJob : WorkerJob
    {
        var free = new Stack<TJob>();
        for (int i = 0; i < Ahead; i++)
            free.Push(create());
        var order = new Queue<TJob>();
        try
        {
            for (bool more = true; ;)
            {
                while (more && free.TryPop(out TJob? job))
                {
                    more = fill(job);
                    if (!more)
                        break;
                    order.Enqueue(job);
                    Submit(job);
                }

                if (!order.TryDequeue(out TJob? oldest))
                    return;
                oldest.Wait();
                if (!consume(oldest))
                    return;
                free.Push(oldest);
            }
        }
        finally
        {
            // Nobody may work on with what the caller is about to dispose of.
            Drop();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_queue)
        {
            _closed = true;
            _queue.Clear();
            Monitor.PulseAll(_queue);
        }

        foreach (Thread thread in _threads)
            thread.Join();
        _own?.Dispose();
    }

    private void Drop()
    {
        lock (_queue)
            _queue.Clear();
    }

    private void Work(WorkerTools own)
    {
        using WorkerTools tools = own;
        while (true)
        {
            WorkerJob? job;
            lock (_queue)
            {
                while (!_queue.TryDequeue(out job) && !_closed)
                    Monitor.Wait(_queue);
            }

            if (job is null)
                return;
            job.Execute(tools);
        }
    }
}
