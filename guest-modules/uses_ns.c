// SPDX-License-Identifier: GPL-2.0-only
/* Uses a symbol in a namespace, which it imports as it must. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/version.h>

int exporter_ns(void);

static int __init uses_ns_init(void)
{
	pr_info("uses_ns: init, %d\n", exporter_ns());
	return 0;
}

static void __exit uses_ns_exit(void)
{
}

module_init(uses_ns_init);
module_exit(uses_ns_exit);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("MODRIG");
#else
MODULE_IMPORT_NS(MODRIG);
#endif
MODULE_DESCRIPTION("Uses a symbol in a namespace");
MODULE_LICENSE("GPL");
