// SPDX-License-Identifier: GPL-2.0-only
/* Init returns `result`: a negative errno ends the load with it, a positive number is suspicious and loads anyway. */
#include <linux/init.h>
#include <linux/module.h>

static int result = -ENODEV;
module_param(result, int, 0444);
MODULE_PARM_DESC(result, "what init returns");

static int __init init_fails_init(void)
{
	pr_info("init_fails: init returns %d\n", result);
	return result;
}

static void __exit init_fails_exit(void)
{
	pr_info("init_fails: exit\n");
}

module_init(init_fails_init);
module_exit(init_fails_exit);
MODULE_DESCRIPTION("Init returns what the parameter says");
MODULE_LICENSE("GPL");
