// SPDX-License-Identifier: GPL-2.0-only
/* Exports one symbol for everyone, one for GPL modules, one in a namespace. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/version.h>

int exporter_plain(void);
int exporter_plain(void)
{
	return 1;
}
EXPORT_SYMBOL(exporter_plain);

int exporter_gpl(void);
int exporter_gpl(void)
{
	return 2;
}
EXPORT_SYMBOL_GPL(exporter_gpl);

int exporter_ns(void);
int exporter_ns(void)
{
	return 3;
}
/* A namespace is a string since 6.13 (cdd30ebb1b9f "module: Convert symbol namespace to string literal"). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
EXPORT_SYMBOL_NS(exporter_ns, "MODRIG");
#else
EXPORT_SYMBOL_NS(exporter_ns, MODRIG);
#endif

static int __init exporter_init(void)
{
	pr_info("exporter: init\n");
	return 0;
}

static void __exit exporter_exit(void)
{
	pr_info("exporter: exit\n");
}

module_init(exporter_init);
module_exit(exporter_exit);
MODULE_DESCRIPTION("Exports symbols of each kind");
MODULE_LICENSE("GPL");
