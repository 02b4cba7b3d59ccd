// SPDX-License-Identifier: GPL-2.0-only
/* Init fills the kernel log until its loader is killed: for whoever collects the log without a limit. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

static int __init floods_init(void)
{
	unsigned long line;

	for (line = 0; !fatal_signal_pending(current); line++) {
		pr_info("floods: line %lu\n", line);
		cond_resched();
	}
	return -EINTR;
}

module_init(floods_init);
MODULE_DESCRIPTION("Prints without end");
MODULE_LICENSE("GPL");
