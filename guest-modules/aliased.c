// SPDX-License-Identifier: GPL-2.0-only
/* Is known by other names too: one exact alias and one pattern. */
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
MODULE_ALIAS("modrig-exact");
MODULE_ALIAS("modrig-alias-*");
MODULE_DESCRIPTION("Has an exact alias and a pattern");
MODULE_LICENSE("GPL");
