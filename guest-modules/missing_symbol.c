// SPDX-License-Identifier: GPL-2.0-only
/* Calls a function that nothing exports: the load fails with ENOENT and "Unknown symbol missing_function (err -2)". */
#include <linux/init.h>
#include <linux/module.h>

void missing_function(void);

static int __init missing_symbol_init(void)
{
	missing_function();
	return 0;
}

static void __exit missing_symbol_exit(void)
{
}

module_init(missing_symbol_init);
module_exit(missing_symbol_exit);
MODULE_DESCRIPTION("Calls a function that nothing exports");
MODULE_LICENSE("GPL");
