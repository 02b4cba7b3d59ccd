// SPDX-License-Identifier: GPL-2.0-only
/* The plainest module: loads, says so, and leaves. */
#include <linux/init.h>
#include <linux/module.h>

static int __init hello_init(void)
{
	pr_info("hello: init\n");
	return 0;
}

static void __exit hello_exit(void)
{
	pr_info("hello: exit\n");
}

module_init(hello_init);
module_exit(hello_exit);
MODULE_DESCRIPTION("Loads, says so, and leaves");
MODULE_LICENSE("GPL");
