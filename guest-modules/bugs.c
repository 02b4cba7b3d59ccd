// SPDX-License-Identifier: GPL-2.0-only
/* BUG() in init: the loader dies, the module stays coming. */
#include <linux/bug.h>
#include <linux/init.h>
#include <linux/module.h>

static bool really = true;
module_param(really, bool, 0444);

static int __init bugs_init(void)
{
	BUG_ON(really);
	return 0;
}

static void __exit bugs_exit(void)
{
}

module_init(bugs_init);
module_exit(bugs_exit);
MODULE_DESCRIPTION("Says BUG in its init");
MODULE_LICENSE("GPL");
