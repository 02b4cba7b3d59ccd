// SPDX-License-Identifier: GPL-2.0-only
/* Top of dep_base <- dep_mid <- dep_top: cannot load before dep_mid, keeps it from unloading. */
#include <linux/init.h>
#include <linux/module.h>

int dep_mid_sum(void);

static int __init dep_top_init(void)
{
	pr_info("dep_top: init, sum %d\n", dep_mid_sum());
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
