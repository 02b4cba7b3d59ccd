// SPDX-License-Identifier: GPL-2.0-only
/* init waits while it is told to hold, so that the module is seen coming. */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

static bool hold;
module_param(hold, bool, 0644);

static int __init slow_init_init(void)
{
	while (READ_ONCE(hold))
		msleep(10);
	pr_info("slow_init: init\n");
	return 0;
}

static void __exit slow_init_exit(void)
{
	pr_info("slow_init: exit\n");
}

module_init(slow_init_init);
module_exit(slow_init_exit);
MODULE_DESCRIPTION("Waits in its init");
MODULE_LICENSE("GPL");
