// SPDX-License-Identifier: GPL-2.0-only
/* Middle of dep_base <- dep_mid <- dep_top: cannot load before dep_base, keeps dep_base from unloading. */
#include <linux/init.h>
#include <linux/module.h>

int dep_base_gpl(void);
int dep_base_plain(void);
int dep_mid_sum(void);

int dep_mid_sum(void)
{
	return dep_base_gpl() + dep_base_plain();
}
EXPORT_SYMBOL_GPL(dep_mid_sum);

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
MODULE_DESCRIPTION("Uses dep_base, exports a symbol of its own");
MODULE_LICENSE("GPL");
