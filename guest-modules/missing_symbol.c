// SPDX-License-Identifier: GPL-2.0-only
/* Needs a function that nobody exports, so it can never be loaded. */
#include <linux/init.h>
#include <linux/module.h>

int nobody_exports_this(void);

static int __init missing_symbol_init(void)
{
	return nobody_exports_this();
}

static void __exit missing_symbol_exit(void)
{
}

module_init(missing_symbol_init);
module_exit(missing_symbol_exit);
MODULE_DESCRIPTION("Needs a symbol that does not exist");
MODULE_LICENSE("GPL");
