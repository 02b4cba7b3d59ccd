// SPDX-License-Identifier: GPL-2.0-only
/* Can be requested by other names than its own. */
#include <linux/init.h>
#include <linux/module.h>

static int __init aliased_init(void)
{
	pr_info("aliased: init\n");
	return 0;
}

static void __exit aliased_exit(void)
{
	pr_info("aliased: exit\n");
}

module_init(aliased_init);
module_exit(aliased_exit);
MODULE_ALIAS("modrig-alias-*");
MODULE_ALIAS("modrig-other-name");
MODULE_DESCRIPTION("Has aliases");
MODULE_LICENSE("GPL");
