// SPDX-License-Identifier: GPL-2.0-only
/* init takes a while, so that the module is seen coming. */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

static unsigned int ms = 1000;
module_param(ms, uint, 0444);

static int __init slow_init_init(void)
{
	msleep(ms);
	pr_info("slow_init: init\n");
	return 0;
}

static void __exit slow_init_exit(void)
{
	pr_info("slow_init: exit\n");
}

module_init(slow_init_init);
module_exit(slow_init_exit);
MODULE_DESCRIPTION("Sleeps in its init");
MODULE_LICENSE("GPL");
