// SPDX-License-Identifier: GPL-2.0-only
/* Takes a reference to itself in init and never gives it back. */
#include <linux/init.h>
#include <linux/module.h>

static int __init holds_itself_init(void)
{
	return try_module_get(THIS_MODULE) ? 0 : -EBUSY;
}

static void __exit holds_itself_exit(void)
{
	pr_info("holds_itself: exit, try_module_get = %d\n", try_module_get(THIS_MODULE));
}

module_init(holds_itself_init);
module_exit(holds_itself_exit);
MODULE_DESCRIPTION("Holds a reference to itself");
MODULE_LICENSE("GPL");
