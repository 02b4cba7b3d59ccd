// SPDX-License-Identifier: GPL-2.0-only
/* Uses exporter_plain, and nothing else of exporter. */
#include <linux/init.h>
#include <linux/module.h>

int exporter_plain(void);

static int __init uses_plain_init(void)
{
	pr_info("uses_plain: init, %d\n", exporter_plain());
	return 0;
}

static void __exit uses_plain_exit(void)
{
}

module_init(uses_plain_init);
module_exit(uses_plain_exit);
MODULE_DESCRIPTION("Uses one symbol of exporter");
MODULE_LICENSE("GPL");
