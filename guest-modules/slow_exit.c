// SPDX-License-Identifier: GPL-2.0-only
/* exit takes a while, so that the module is seen going. */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

static unsigned int ms = 1000;
module_param(ms, uint, 0444);

static int __init slow_exit_init(void)
{
	pr_info("slow_exit: init\n");
	return 0;
}

static void __exit slow_exit_exit(void)
{
	msleep(ms);
	pr_info("slow_exit: exit\n");
}

module_init(slow_exit_init);
module_exit(slow_exit_exit);
MODULE_DESCRIPTION("Sleeps in its exit");
MODULE_LICENSE("GPL");
