// SPDX-License-Identifier: GPL-2.0-only
/* The highest of three: needs dep_mid, and through it dep_base. */
#include <linux/init.h>
#include <linux/module.h>

int dep_mid_value(void);

static int __init dep_top_init(void)
{
	pr_info("dep_top: init, %d below\n", dep_mid_value());
	return 0;
}

static void __exit dep_top_exit(void)
{
	pr_info("dep_top: exit\n");
}

module_init(dep_top_init);
module_exit(dep_top_exit);
MODULE_DESCRIPTION("Uses dep_mid");
MODULE_LICENSE("GPL");
