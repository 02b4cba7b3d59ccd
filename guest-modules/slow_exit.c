// SPDX-License-Identifier: GPL-2.0-only
/* Exit sleeps for `ms`: the module is Unloading (GOING) meanwhile; to load or unload it again then gives EBUSY. */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

static unsigned int ms = 1000;
module_param(ms, uint, 0444);
MODULE_PARM_DESC(ms, "how long exit sleeps, in milliseconds");

static int __init slow_exit_init(void)
{
	pr_info("slow_exit: init\n");
	return 0;
}

static void __exit slow_exit_exit(void)
{
	pr_info("slow_exit: exit sleeps %u ms\n", ms);
	msleep(ms);
	pr_info("slow_exit: exit done\n");
}

module_init(slow_exit_init);
module_exit(slow_exit_exit);
MODULE_DESCRIPTION("Takes its time to leave");
MODULE_LICENSE("GPL");
