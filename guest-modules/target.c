// SPDX-License-Identifier: GPL-2.0-only
/* What the stub asks for: loads, says so, and leaves. */
#include <linux/init.h>
#include <linux/module.h>

static int __init target_init(void)
{
	pr_info("target: init\n");
	return 0;
}

static void __exit target_exit(void)
{
	pr_info("target: exit\n");
}

module_init(target_init);
module_exit(target_exit);
MODULE_DESCRIPTION("Is loaded by the stub");
MODULE_LICENSE("GPL");
