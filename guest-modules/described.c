// SPDX-License-Identifier: GPL-2.0-only
/* Says all that a module can say of itself, and wants another module loaded before it. */
#include <linux/init.h>
#include <linux/module.h>

static int level = 3;
module_param(level, int, 0644);
MODULE_PARM_DESC(level, "how much, from 0 to 9");

static int __init described_init(void)
{
	pr_info("described: init\n");
	return 0;
}

static void __exit described_exit(void)
{
}

module_init(described_init);
module_exit(described_exit);
MODULE_AUTHOR("Somebody <somebody@example.org>");
MODULE_DESCRIPTION("Describes itself");
MODULE_VERSION("1.2.3");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_ALIAS("described-alias");
MODULE_SOFTDEP("pre: target");
