// SPDX-License-Identifier: GPL-2.0-only
/* Bottom of dep_base <- dep_mid <- dep_top: exports one GPL-only and one plain symbol, needs nothing. */
#include <linux/init.h>
#include <linux/module.h>

int dep_base_gpl(void);
int dep_base_plain(void);

int dep_base_gpl(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(dep_base_gpl);

int dep_base_plain(void)
{
	return 2;
}
EXPORT_SYMBOL(dep_base_plain);

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
MODULE_DESCRIPTION("Exports two symbols");
MODULE_LICENSE("GPL");
