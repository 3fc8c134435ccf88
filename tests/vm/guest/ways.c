// SPDX-License-Identifier: GPL-2.0
/*
 * Lets the machine crash or hang in a way that is known: echo WAY >/proc/ways.
 * What is true is written to the log in lines that begin with "ways: ": who holds which lock, who waits for it, which function faults.
 * The names of functions, locks and threads are what a reader of the dump must find.
 */
#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#define truth(format, ...) pr_info("ways: " format "\n", ##__VA_ARGS__)
#define framed noinline __noclone

static volatile u64 sink;

/* Faults in a process. */

struct ways_thing {
	u64 room[3];
	u64 value;
	struct ways_thing *next;
};

static struct ways_thing *ways_nothing;

static framed u64 ways_read_value(struct ways_thing *thing)
{
	return READ_ONCE(thing->value);
}

static framed void ways_null(void)
{
	truth("ways_read_value, called by ways_null, reads address 0x18");
	sink += ways_read_value(READ_ONCE(ways_nothing));
}

static void (*volatile ways_nowhere)(void);

static framed void ways_call_nowhere(void)
{
	ways_nowhere();
	sink++;
}

static framed void ways_wild(void)
{
	truth("ways_call_nowhere, called by ways_wild, calls address 0x123456789a");
	ways_nowhere = (void *)0x123456789aUL;
	ways_call_nowhere();
}

static framed void ways_null_call(void)
{
	truth("ways_call_nowhere, called by ways_null_call, calls address 0");
	ways_nowhere = NULL;
	ways_call_nowhere();
}

static framed void ways_bug(void)
{
	truth("ways_bug has a BUG_ON whose condition is true");
	BUG_ON(READ_ONCE(ways_nothing) == NULL);
}

static framed void ways_warn(void)
{
	truth("ways_warn warns, and panic_on_warn is set");
	WARN(READ_ONCE(ways_nothing) == NULL, "ways: nothing is there\n");
}

static framed void ways_divide(void)
{
	truth("ways_divide divides by 0");
	sink = 1000 / (unsigned long)READ_ONCE(ways_nothing);
}

static framed void ways_panic(void)
{
	truth("ways_panic calls panic");
	panic("ways: no way out of %d", 42);
}

struct ways_entry {
	char text[48];
	struct list_head link;
};

static LIST_HEAD(ways_list);

static framed void ways_delete(struct ways_entry *entry)
{
	list_del(&entry->link);
	sink++;
}

/* A text that is too long overwrites the links of its own entry; the next entry is then deleted. */
static framed void ways_corrupt_list(void)
{
	struct ways_entry *entries = kcalloc(3, sizeof(*entries), GFP_KERNEL);
	size_t length = sizeof(entries->text) + sizeof(entries->link);
	int i;

	for (i = 0; i < 3; i++)
		list_add_tail(&entries[i].link, &ways_list);
	OPTIMIZER_HIDE_VAR(length);
	memset(&entries[1], 'A', length);
	truth("links of the list entry %px are overwritten by 0x41; ways_delete, called by ways_corrupt_list, deletes %px behind it",
	      &entries[1].link, &entries[2].link);
	ways_delete(&entries[2]);
}

static framed int ways_recurse(int depth)
{
	volatile char room[512];
	int i;

	for (i = 0; i < 512; i++)
		room[i] = (char)(depth + i);
	return ways_recurse(depth + 1) + room[depth & 511];
}

static framed void ways_overflow(void)
{
	truth("ways_recurse, called by ways_overflow, calls itself until the stack of %d %s at %px is full",
	      current->pid, current->comm, current->stack);
	sink += ways_recurse(0);
}

struct ways_owner {
	char name[40];
	struct ways_thing *thing;
	char room[144];
};

static framed void ways_use_after_free(void)
{
	struct ways_owner *owner = kzalloc(sizeof(*owner), GFP_KERNEL), *stale = owner;

	OPTIMIZER_HIDE_VAR(stale);
	memset(owner, 'Z', sizeof(*owner));
	kfree(owner);
	truth("object %px of %zu bytes is free", stale, sizeof(*stale));
	truth("ways_use_after_free takes the pointer 0x5a5a5a5a5a5a5a5a from its offset %zu and ways_read_value reads there",
	      offsetof(struct ways_owner, thing));
	sink += ways_read_value(READ_ONCE(stale->thing));
}

static struct hrtimer ways_timer;

static framed enum hrtimer_restart ways_timer_fires(struct hrtimer *timer)
{
	sink += ways_read_value(READ_ONCE(ways_nothing));
	return HRTIMER_NORESTART;
}

static framed void ways_interrupt(void)
{
	truth("ways_read_value, called by ways_timer_fires in a hard interrupt, reads address 0x18");
	hrtimer_init(&ways_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	ways_timer.function = ways_timer_fires;
	hrtimer_start(&ways_timer, ms_to_ktime(50), HRTIMER_MODE_REL_HARD);
}

/* Threads that wait for each other. */

static void start(int (*run)(void *), const char *name)
{
	struct task_struct *task = kthread_run(run, NULL, "%s", name);

	truth("thread %d %s at %px runs %ps", task->pid, name, task, run);
}

#define held(kind, lock) truth(kind " " #lock " at %px is held by %d %s", &lock, current->pid, current->comm)
#define waits(kind, lock) truth("%d %s waits for " kind " " #lock " at %px", current->pid, current->comm, &lock)

/* Asleep, but not a task that the watchdog calls hung. */
static framed void ways_sleep(void)
{
	for (;;)
		schedule_timeout_interruptible(HZ * 1000);
}

static DEFINE_MUTEX(ways_mutex_a);
static DEFINE_MUTEX(ways_mutex_b);
static DECLARE_COMPLETION(ways_a_is_held);
static DECLARE_COMPLETION(ways_b_is_held);
static DECLARE_COMPLETION(ways_never);

static int ways_thread_ab(void *unused)
{
	mutex_lock(&ways_mutex_a);
	held("mutex", ways_mutex_a);
	complete(&ways_a_is_held);
	wait_for_completion(&ways_b_is_held);
	waits("mutex", ways_mutex_b);
	mutex_lock(&ways_mutex_b);
	ways_sleep();
	return 0;
}

static int ways_thread_ba(void *unused)
{
	mutex_lock(&ways_mutex_b);
	held("mutex", ways_mutex_b);
	complete(&ways_b_is_held);
	wait_for_completion(&ways_a_is_held);
	waits("mutex", ways_mutex_a);
	mutex_lock(&ways_mutex_a);
	ways_sleep();
	return 0;
}

static framed void ways_deadlock(void)
{
	start(ways_thread_ab, "ways-ab");
	start(ways_thread_ba, "ways-ba");
}

static int ways_thread_lost(void *unused)
{
	waits("completion", ways_never);
	wait_for_completion(&ways_never);
	return 0;
}

static framed void ways_lost_wakeup(void)
{
	start(ways_thread_lost, "ways-lost");
}

/* Who holds A waits for what never comes; others wait for A, and one of those holds B, for which another waits. */
static int ways_thread_root(void *unused)
{
	mutex_lock(&ways_mutex_a);
	held("mutex", ways_mutex_a);
	complete(&ways_a_is_held);
	waits("completion", ways_never);
	wait_for_completion(&ways_never);
	return 0;
}

static int ways_thread_middle(void *unused)
{
	wait_for_completion(&ways_a_is_held);
	mutex_lock(&ways_mutex_b);
	held("mutex", ways_mutex_b);
	complete(&ways_b_is_held);
	waits("mutex", ways_mutex_a);
	mutex_lock(&ways_mutex_a);
	return 0;
}

static int ways_thread_leaf(void *unused)
{
	wait_for_completion(&ways_b_is_held);
	waits("mutex", ways_mutex_b);
	mutex_lock(&ways_mutex_b);
	return 0;
}

static framed void ways_chain(void)
{
	start(ways_thread_root, "ways-root");
	start(ways_thread_middle, "ways-middle");
	start(ways_thread_leaf, "ways-leaf");
}

static DECLARE_RWSEM(ways_rwsem);

static int ways_thread_writer_holds(void *unused)
{
	down_write(&ways_rwsem);
	held("rwsem (for writing)", ways_rwsem);
	complete_all(&ways_a_is_held);
	ways_sleep();
	return 0;
}

static int ways_thread_reader_holds(void *unused)
{
	down_read(&ways_rwsem);
	held("rwsem (for reading)", ways_rwsem);
	complete_all(&ways_a_is_held);
	ways_sleep();
	return 0;
}

static int ways_thread_reader(void *unused)
{
	wait_for_completion(&ways_a_is_held);
	msleep(300);
	waits("rwsem (for reading)", ways_rwsem);
	down_read(&ways_rwsem);
	return 0;
}

static int ways_thread_writer(void *unused)
{
	wait_for_completion(&ways_a_is_held);
	waits("rwsem (for writing)", ways_rwsem);
	down_write(&ways_rwsem);
	return 0;
}

static framed void ways_rwsem_write(void)
{
	start(ways_thread_writer_holds, "ways-holder");
	start(ways_thread_writer, "ways-writer");
	start(ways_thread_reader, "ways-reader-1");
	start(ways_thread_reader, "ways-reader-2");
}

/* Who took it last for reading has released it; the kernel's note of an owner still names that thread. */
static int ways_thread_passes(void *unused)
{
	wait_for_completion(&ways_a_is_held);
	down_read(&ways_rwsem);
	up_read(&ways_rwsem);
	truth("%d %s had rwsem ways_rwsem for reading and has released it", current->pid, current->comm);
	complete_all(&ways_b_is_held);
	ways_sleep();
	return 0;
}

static int ways_thread_writer_after(void *unused)
{
	wait_for_completion(&ways_b_is_held);
	waits("rwsem (for writing)", ways_rwsem);
	down_write(&ways_rwsem);
	return 0;
}

static framed void ways_rwsem_stale(void)
{
	start(ways_thread_reader_holds, "ways-holder");
	start(ways_thread_passes, "ways-passes");
	start(ways_thread_writer_after, "ways-writer");
}

static framed void ways_rwsem_read(void)
{
	start(ways_thread_reader_holds, "ways-holder");
	start(ways_thread_writer, "ways-writer");
	start(ways_thread_reader, "ways-reader-1");
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
static DEFINE_SEMAPHORE(ways_semaphore, 1);
#else
static DEFINE_SEMAPHORE(ways_semaphore);
#endif

static int ways_thread_down(void *unused)
{
	wait_for_completion(&ways_a_is_held);
	waits("semaphore", ways_semaphore);
	down(&ways_semaphore);
	return 0;
}

static int ways_thread_has(void *unused)
{
	down(&ways_semaphore);
	held("semaphore", ways_semaphore);
	complete(&ways_a_is_held);
	ways_sleep();
	return 0;
}

static framed void ways_semaphore_kept(void)
{
	start(ways_thread_has, "ways-holder");
	start(ways_thread_down, "ways-down");
}

/* Who holds the mutex has ended; its task_struct may have become another task's. */
static struct task_struct *ways_gone;

static int ways_thread_ends(void *unused)
{
	mutex_lock(&ways_mutex_a);
	held("mutex", ways_mutex_a);
	truth("thread %d %s ends and keeps it", current->pid, current->comm);
	complete_all(&ways_a_is_held);
	return 0;
}

static int ways_thread_waits_for_gone(void *unused)
{
	wait_for_completion(&ways_a_is_held);
	waits("mutex", ways_mutex_a);
	mutex_lock(&ways_mutex_a);
	return 0;
}

static int ways_thread_new(void *unused)
{
	if (current == READ_ONCE(ways_gone))
		truth("the task_struct of who held mutex ways_mutex_a at %px is now that of %d %s, which never had it",
		      &ways_mutex_a, current->pid, current->comm);
	ways_sleep();
	return 0;
}

static framed void ways_owner_gone(void)
{
	int i;

	ways_gone = kthread_run(ways_thread_ends, NULL, "ways-gone");
	kthread_run(ways_thread_waits_for_gone, NULL, "ways-waits");
	msleep(1000);
	for (i = 0; i < 40; i++)
		kthread_run(ways_thread_new, NULL, "ways-new-%d", i);
}

/* A work item wants the mutex of the thread that waits for the item's end. */
static framed void ways_work_runs(struct work_struct *work)
{
	waits("mutex", ways_mutex_a);
	mutex_lock(&ways_mutex_a);
}

static DECLARE_WORK(ways_work, ways_work_runs);

static int ways_thread_flushes(void *unused)
{
	mutex_lock(&ways_mutex_a);
	held("mutex", ways_mutex_a);
	schedule_work(&ways_work);
	truth("%d %s waits for the end of work ways_work at %px", current->pid, current->comm, &ways_work);
	flush_work(&ways_work);
	return 0;
}

static framed void ways_flush(void)
{
	start(ways_thread_flushes, "ways-flush");
}

/* Processors that do not come back. */

static int ways_thread_spins(void *unused)
{
	truth("%d %s spins on CPU %d with preemption off", current->pid, current->comm, raw_smp_processor_id());
	preempt_disable();
	for (;;)
		cpu_relax();
	return 0;
}

static void start_on_last(int (*run)(void *), const char *name)
{
	struct task_struct *task = kthread_create(run, NULL, "%s", name);

	kthread_bind(task, num_online_cpus() - 1);
	truth("thread %d %s at %px runs %ps on CPU %d", task->pid, name, task, run, num_online_cpus() - 1);
	wake_up_process(task);
}

static framed void ways_soft_lockup(void)
{
	start_on_last(ways_thread_spins, "ways-spins");
}

static DEFINE_SPINLOCK(ways_spinlock);

static int ways_thread_keeps(void *unused)
{
	spin_lock(&ways_spinlock);
	held("spinlock", ways_spinlock);
	complete(&ways_a_is_held);
	for (;;)
		cpu_relax();
	return 0;
}

static int ways_thread_wants(void *unused)
{
	wait_for_completion(&ways_a_is_held);
	waits("spinlock", ways_spinlock);
	spin_lock(&ways_spinlock);
	return 0;
}

static framed void ways_spinlock_kept(void)
{
	start(ways_thread_wants, "ways-wants");
	start_on_last(ways_thread_keeps, "ways-keeps");
}

static int ways_thread_reads(void *unused)
{
	truth("%d %s spins on CPU %d inside rcu_read_lock", current->pid, current->comm, raw_smp_processor_id());
	rcu_read_lock();
	for (;;)
		cpu_relax();
	return 0;
}

static framed void ways_rcu_stall(void)
{
	start_on_last(ways_thread_reads, "ways-reads");
}

static int ways_thread_deaf(void *unused)
{
	truth("%d %s spins on CPU %d with interrupts off", current->pid, current->comm, raw_smp_processor_id());
	local_irq_disable();
	for (;;)
		cpu_relax();
	return 0;
}

static framed void ways_irqs_off(void)
{
	start_on_last(ways_thread_deaf, "ways-deaf");
}

/* A disk whose requests never end. */

static blk_status_t ways_queue(struct blk_mq_hw_ctx *queue, const struct blk_mq_queue_data *data)
{
	blk_mq_start_request(data->rq);
	truth("request %px (%s, sector %llu, %u bytes) of disk ways0 never ends", data->rq,
	      rq_data_dir(data->rq) ? "write" : "read", (unsigned long long)blk_rq_pos(data->rq), blk_rq_bytes(data->rq));
	return BLK_STS_OK;
}

static enum blk_eh_timer_return ways_times_out(struct request *request)
{
	return BLK_EH_RESET_TIMER;
}

static const struct blk_mq_ops ways_disk_operations = { .queue_rq = ways_queue, .timeout = ways_times_out };
static const struct block_device_operations ways_block = { .owner = THIS_MODULE };
static struct blk_mq_tag_set ways_tags = { .ops = &ways_disk_operations, .nr_hw_queues = 1, .queue_depth = 16, .numa_node = NUMA_NO_NODE };

static framed void ways_disk(void)
{
	struct gendisk *disk;

	if (blk_mq_alloc_tag_set(&ways_tags))
		return;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	disk = blk_mq_alloc_disk(&ways_tags, NULL, NULL);
#else
	disk = blk_mq_alloc_disk(&ways_tags, NULL);
#endif
	if (IS_ERR(disk))
		return;
	disk->major = register_blkdev(0, "ways");
	disk->minors = 1;
	disk->flags |= GENHD_FL_NO_PART;
	disk->fops = &ways_block;
	strscpy(disk->disk_name, "ways0", sizeof(disk->disk_name));
	set_capacity(disk, 131072);
	if (add_disk(disk))
		truth("the disk ways0 cannot be added: failed");
	else
		truth("disk ways0 at %px, request queue at %px", disk, disk->queue);
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{ "null", ways_null }, { "wild", ways_wild }, { "nullcall", ways_null_call }, { "bug", ways_bug }, { "warn", ways_warn },
	{ "divide", ways_divide }, { "panic", ways_panic }, { "list", ways_corrupt_list }, { "overflow", ways_overflow },
	{ "uaf", ways_use_after_free }, { "irq", ways_interrupt }, { "deadlock", ways_deadlock }, { "lost", ways_lost_wakeup },
	{ "chain", ways_chain }, { "rwsem", ways_rwsem_write }, { "rwread", ways_rwsem_read },
	{ "rwstale", ways_rwsem_stale }, { "gone", ways_owner_gone }, { "sem", ways_semaphore_kept },
	{ "flush", ways_flush }, { "softlockup", ways_soft_lockup }, { "spinlock", ways_spinlock_kept }, { "rcu", ways_rcu_stall },
	{ "nmi", ways_irqs_off }, { "io", ways_disk },
};

static ssize_t ways_write(struct file *file, const char __user *buffer, size_t length, loff_t *offset)
{
	char name[32] = "";
	size_t i;

	if (length >= sizeof(name) || copy_from_user(name, buffer, length))
		return -EINVAL;
	strim(name);
	for (i = 0; i < ARRAY_SIZE(ways); i++)
		if (!strcmp(ways[i].name, name)) {
			truth("way %s, written by %d %s", name, current->pid, current->comm);
			ways[i].run();
			return length;
		}
	return -ENOENT;
}

static const struct proc_ops ways_operations = { .proc_write = ways_write };

static int __init ways_init(void)
{
	return proc_create("ways", 0200, NULL, &ways_operations) ? 0 : -ENOMEM;
}

module_init(ways_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Crashes that are known, for tests of crash dump readers");
