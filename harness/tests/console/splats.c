// SPDX-License-Identifier: GPL-2.0-only
/* Does to the kernel, in its init, whatever it is asked for. Only to record what kernels say then. */
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

static char *what = "";
module_param(what, charp, 0444);

static int number = 8;
module_param(number, int, 0444);

/* The compiler shall not know what these hold. */
static void *volatile pointer;
static volatile unsigned long zero;

static noinline int null_call(void)
{
	int (*function)(void) = (int (*)(void))pointer;

	return function() + zero;
}

static noinline int page_fault(void)
{
	char *gone = vmalloc(PAGE_SIZE);

	vfree(gone);
	pointer = gone;
	return *(volatile char *)pointer;
}

static noinline int read_only(void)
{
	pointer = (void *)kfree;
	*(volatile char *)pointer = 'l';
	return zero;
}

static noinline int user_access(void)
{
	pointer = (void *)0x7f0000001000ul;
	return *(volatile char *)pointer;
}

static noinline int no_execute(void)
{
	pointer = kzalloc(64, GFP_KERNEL);
	return null_call() + zero;
}

static noinline int gpf(void)
{
	pointer = (void *)0xdead000000000100ul;
	return *(volatile int *)pointer;
}

static noinline int gpf_strlen(void)
{
	pointer = (void *)0xdead000000000100ul;
	return strlen(pointer);
}

static noinline int divide(void)
{
	return number / (int)zero;
}

static noinline int invalid_opcode(void)
{
	asm volatile("ud1 %eax, %eax");
	return zero;
}

static noinline int overflow_stack(int depth)
{
	volatile char large[512];

	large[0] = depth;
	return overflow_stack(depth + 1) + large[depth & 511];
}

static noinline int warn_plain(void)
{
	return WARN_ON(pointer == NULL);
}

static void warn_in_work(struct work_struct *work)
{
	WARN_ON(pointer == NULL);
}
static DECLARE_WORK(work, warn_in_work);

static void null_in_timer(struct timer_list *timer)
{
	*(volatile int *)pointer = 1;
}

static noinline int oops_in_irq(void)
{
	static struct timer_list timer;

	timer_setup(&timer, null_in_timer, 0);
	mod_timer(&timer, jiffies + 1);
	msleep(200);
	return zero;
}

static noinline int atomic_sleep(void)
{
	local_bh_disable();
	msleep(5);
	local_bh_enable();
	return zero;
}

static noinline int list_twice(void)
{
	static LIST_HEAD(head);
	static struct list_head entry;

	list_add(&entry, &head);
	list_add(&entry, &head);
	return zero;
}

static noinline int list_gone(void)
{
	static LIST_HEAD(head);
	static struct list_head entry;

	list_add(&entry, &head);
	list_del(&entry);
	list_del(&entry);
	return zero;
}

static noinline int list_stray(void)
{
	static LIST_HEAD(head);
	static struct list_head entry, other;

	list_add(&other, &head);
	other.prev = &other;
	list_add(&entry, &head);
	return zero;
}

static refcount_t count = REFCOUNT_INIT(1);

static noinline int ref_underflow(void)
{
	refcount_dec(&count);
	return refcount_dec_and_test(&count);
}

static noinline int ref_from_zero(void)
{
	refcount_set(&count, 0);
	refcount_inc(&count);
	return zero;
}

static noinline int ref_saturated(void)
{
	refcount_set(&count, INT_MAX);
	refcount_inc(&count);
	return zero;
}

static noinline int double_free(void)
{
	pointer = kmalloc(64, GFP_KERNEL);
	kfree(pointer);
	kfree(pointer);
	return zero;
}

static noinline int stray_free(void)
{
	pointer = vmalloc(PAGE_SIZE);
	kfree(pointer);
	return zero;
}

static noinline int soft_lockup(void)
{
	unsigned long end = jiffies + number * HZ;

	preempt_disable();
	while (time_before(jiffies, end))
		cpu_relax();
	preempt_enable();
	return zero;
}

static int spins(void *unused)
{
	return soft_lockup();
}

/* Needs another processor, where RCU begins what this one then holds up. */
static noinline int rcu_stall(void)
{
	struct task_struct *task = kthread_create(spins, NULL, "spinner");

	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, 1);
	wake_up_process(task);
	msleep(100);
	synchronize_rcu();
	return zero;
}

static DEFINE_MUTEX(mutex);

static int waits_for_mutex(void *unused)
{
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	return zero;
}

static noinline int hung_task(void)
{
	mutex_lock(&mutex);
	if (IS_ERR(kthread_run(waits_for_mutex, NULL, "waiter")))
		return -ENOMEM;
	ssleep(number);
	mutex_unlock(&mutex);
	return zero;
}

struct field {
	char small[8];
	char next[56];
};

static noinline int fortify_copy(void)
{
	struct field *field = kzalloc(sizeof(*field), GFP_KERNEL);
	char source[128] = "x";

	memcpy(field, source, sizeof(*field) + number);
	pointer = field;
	return zero;
}

static noinline int fortify_field(void)
{
	struct field *field = kzalloc(sizeof(*field), GFP_KERNEL);
	char source[128] = "x";

	memcpy(field->small, source, sizeof(field->small) + number);
	pointer = field;
	return zero;
}

static noinline int fortify_strlen(void)
{
	static char unended[8] = "12345678";

	return strlen(unended);
}

static noinline int usercopy(void)
{
	pointer = kmalloc(64, GFP_KERNEL);
	return copy_to_user((void __user *)current->mm->start_stack, pointer, 256 * number);
}

static noinline int smash(void)
{
	char buffer[16];

	pointer = buffer;
	memset(pointer, 'x', 32 + number);
	return buffer[number];
}

static int table[4];

static noinline int out_of_bounds(void)
{
	return table[number];
}

static noinline int shift(void)
{
	return 1 << (number * 8);
}

static noinline int kfence(void)
{
	int i;

	for (i = 0; i < 300; i++) {
		char *p = kmalloc(40, GFP_KERNEL);

		kfree(p);
		pointer = p;
		number += *(volatile char *)pointer;
		usleep_range(1000, 1500);
	}
	return zero;
}

static noinline int oom(void)
{
	struct page *first = NULL;

	while (!fatal_signal_pending(current)) {
		struct page *page = alloc_page(GFP_KERNEL);

		if (!page)
			break;
		page->private = (unsigned long)first;
		first = page;
	}
	while (first) {
		struct page *next = (struct page *)first->private;

		first->private = 0;
		__free_page(first);
		first = next;
	}
	return zero;
}

static noinline int bad_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	page->mapping = (struct address_space *)8;
	__free_page(page);
	return zero;
}

static void setup(struct net_device *device)
{
}

static const struct net_device_ops operations = { };

static noinline int net_device(void)
{
	struct net_device *device = alloc_netdev(0, "held%d", NET_NAME_UNKNOWN, setup);

	device->netdev_ops = &operations;
	if (register_netdev(device))
		return -EIO;
	dev_hold(device);
	unregister_netdev(device);
	return zero;
}

#define DO(name) do { if (!strcmp(what, #name)) return name(); } while (0)

static int __init splats_init(void)
{
	DO(null_call);
	DO(page_fault);
	DO(read_only);
	DO(user_access);
	DO(no_execute);
	DO(gpf);
	DO(gpf_strlen);
	DO(divide);
	DO(invalid_opcode);
	DO(warn_plain);
	DO(oops_in_irq);
	DO(atomic_sleep);
	DO(list_twice);
	DO(list_gone);
	DO(list_stray);
	DO(ref_underflow);
	DO(ref_from_zero);
	DO(ref_saturated);
	DO(double_free);
	DO(stray_free);
	DO(soft_lockup);
	DO(rcu_stall);
	DO(hung_task);
	DO(fortify_copy);
	DO(fortify_field);
	DO(fortify_strlen);
	DO(usercopy);
	DO(smash);
	DO(out_of_bounds);
	DO(shift);
	DO(kfence);
	DO(oom);
	DO(bad_page);
	DO(net_device);
	if (!strcmp(what, "stack_overflow"))
		return overflow_stack(0);
	if (!strcmp(what, "bug"))
		BUG();
	if (!strcmp(what, "warn_work")) {
		schedule_work(&work);
		flush_work(&work);
		return 0;
	}
	return -EINVAL;
}

static void __exit splats_exit(void)
{
}

module_init(splats_init);
module_exit(splats_exit);
MODULE_DESCRIPTION("Goes wrong in many ways");
MODULE_LICENSE("GPL");
