// SPDX-License-Identifier: GPL-2.0-only
/* Init sleeps for `ms`: the module is Loading (COMING) meanwhile, and whoever wants it waits or gets EBUSY. */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

static unsigned int ms = 1000;
module_param(ms, uint, 0444);
MODULE_PARM_DESC(ms, "how long init sleeps, in milliseconds");

static int __init slow_init_init(void)
{
	pr_info("slow_init: init sleeps %u ms\n", ms);
	msleep(ms);
	pr_info("slow_init: init done\n");
	return 0;
}

static void __exit slow_init_exit(void)
{
	pr_info("slow_init: exit\n");
}

module_init(slow_init_init);
module_exit(slow_init_exit);
MODULE_DESCRIPTION("Takes its time to initialise");
MODULE_LICENSE("GPL");
