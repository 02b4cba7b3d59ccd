// SPDX-License-Identifier: GPL-2.0-only
/* Uses the symbol of slow_exporter. */
#include <linux/init.h>
#include <linux/module.h>

int slow_exporter_value(void);

static int __init uses_slow_init(void)
{
	pr_info("uses_slow: init, %d\n", slow_exporter_value());
	return 0;
}

static void __exit uses_slow_exit(void)
{
}

module_init(uses_slow_init);
module_exit(uses_slow_exit);
MODULE_DESCRIPTION("Uses the symbol of slow_exporter");
MODULE_LICENSE("GPL");
