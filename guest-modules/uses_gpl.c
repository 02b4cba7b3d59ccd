// SPDX-License-Identifier: GPL-2.0-only
/* Uses exporter_gpl, and nothing else of exporter. */
#include <linux/init.h>
#include <linux/module.h>

int exporter_gpl(void);

static int __init uses_gpl_init(void)
{
	pr_info("uses_gpl: init, %d\n", exporter_gpl());
	return 0;
}

static void __exit uses_gpl_exit(void)
{
}

module_init(uses_gpl_init);
module_exit(uses_gpl_exit);
MODULE_DESCRIPTION("Uses one symbol of exporter");
MODULE_LICENSE("GPL");
