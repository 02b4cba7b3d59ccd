// SPDX-License-Identifier: GPL-2.0-only
/* Has an init and no exit: permanent; only a forced unload removes it. */
#include <linux/init.h>
#include <linux/module.h>

static int __init no_exit_init(void)
{
	pr_info("no_exit: init\n");
	return 0;
}

module_init(no_exit_init);
MODULE_DESCRIPTION("Has no exit function");
MODULE_LICENSE("GPL");
