// SPDX-License-Identifier: GPL-2.0-only
/* Takes a reference to itself and never drops it: the unload fails with EAGAIN until it is forced. */
#include <linux/init.h>
#include <linux/module.h>

static int __init holds_itself_init(void)
{
	pr_info("holds_itself: init, try_module_get = %d\n", try_module_get(THIS_MODULE));
	return 0;
}

static void __exit holds_itself_exit(void)
{
	/* A module that is going gives no more references. */
	pr_info("holds_itself: exit, try_module_get = %d\n", try_module_get(THIS_MODULE));
}

module_init(holds_itself_init);
module_exit(holds_itself_exit);
MODULE_DESCRIPTION("Keeps a reference to itself");
MODULE_LICENSE("GPL");
