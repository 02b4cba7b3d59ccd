// SPDX-License-Identifier: GPL-2.0-only
/* Says of itself what the build says of KUnit's and other test modules. */
#include <linux/init.h>
#include <linux/module.h>

static int __init test_module_init(void)
{
	pr_info("test_module: init\n");
	return 0;
}

static void __exit test_module_exit(void)
{
}

module_init(test_module_init);
module_exit(test_module_exit);
MODULE_INFO(test, "Y");
MODULE_DESCRIPTION("Taints the kernel as a test");
MODULE_LICENSE("GPL");
