// SPDX-License-Identifier: GPL-2.0-only
/* Logs without end from its init. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/sched.h>

static int __init floods_init(void)
{
	for (;;) {
		pr_alert("floods: the same line again and again and again and again\n");
		cond_resched();
	}
	return 0;
}

static void __exit floods_exit(void)
{
}

module_init(floods_init);
module_exit(floods_exit);
MODULE_DESCRIPTION("Fills the log");
MODULE_LICENSE("GPL");
