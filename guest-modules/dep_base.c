// SPDX-License-Identifier: GPL-2.0-only
/* The lowest of three: exports what dep_mid uses. */
#include <linux/init.h>
#include <linux/module.h>

int dep_base_value(void);
int dep_base_value(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(dep_base_value);

static int __init dep_base_init(void)
{
	pr_info("dep_base: init\n");
	return 0;
}

static void __exit dep_base_exit(void)
{
	pr_info("dep_base: exit\n");
}

module_init(dep_base_init);
module_exit(dep_base_exit);
MODULE_DESCRIPTION("Exports a function to dep_mid");
MODULE_LICENSE("GPL");
