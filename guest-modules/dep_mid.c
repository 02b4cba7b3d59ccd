// SPDX-License-Identifier: GPL-2.0-only
/* The middle of three: uses dep_base and is used by dep_top. */
#include <linux/init.h>
#include <linux/module.h>

int dep_base_value(void);

int dep_mid_value(void);
int dep_mid_value(void)
{
	return dep_base_value() + 1;
}
EXPORT_SYMBOL_GPL(dep_mid_value);

static int __init dep_mid_init(void)
{
	pr_info("dep_mid: init\n");
	return 0;
}

static void __exit dep_mid_exit(void)
{
	pr_info("dep_mid: exit\n");
}

module_init(dep_mid_init);
module_exit(dep_mid_exit);
MODULE_DESCRIPTION("Uses dep_base, exports a function to dep_top");
MODULE_LICENSE("GPL");
