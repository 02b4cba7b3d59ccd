// SPDX-License-Identifier: GPL-2.0-only
/* Says of itself what the build says of modules in drivers/staging, and of test modules. */
#include <linux/init.h>
#include <linux/module.h>

static int __init staging_init(void)
{
	pr_info("staging: init\n");
	return 0;
}

static void __exit staging_exit(void)
{
}

module_init(staging_init);
module_exit(staging_exit);
MODULE_INFO(staging, "Y");
MODULE_DESCRIPTION("Taints the kernel as crap");
MODULE_LICENSE("GPL");
