// SPDX-License-Identifier: GPL-2.0-only
/* init returns what it is told to, which need not be an error. */
#include <linux/init.h>
#include <linux/module.h>

static int result = -ENODEV;
module_param(result, int, 0444);

static int __init init_fails_init(void)
{
	pr_info("init_fails: returning %d\n", result);
	return result;
}

static void __exit init_fails_exit(void)
{
	pr_info("init_fails: exit\n");
}

module_init(init_fails_init);
module_exit(init_fails_exit);
MODULE_DESCRIPTION("Returns from init what it is told to");
MODULE_LICENSE("GPL");
