// SPDX-License-Identifier: GPL-2.0-only
/* exit waits while it is told to hold, so that the module is seen going. */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

static bool hold;
module_param(hold, bool, 0644);

static int __init slow_exit_init(void)
{
	pr_info("slow_exit: init\n");
	return 0;
}

static void __exit slow_exit_exit(void)
{
	while (READ_ONCE(hold))
		msleep(10);
	pr_info("slow_exit: exit\n");
}

module_init(slow_exit_init);
module_exit(slow_exit_exit);
MODULE_DESCRIPTION("Waits in its exit");
MODULE_LICENSE("GPL");
