// SPDX-License-Identifier: GPL-2.0-only
/* Panics the kernel in its init. */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

static int __init panics_init(void)
{
	panic("panics: as asked");
	return 0;
}

static void __exit panics_exit(void)
{
}

module_init(panics_init);
module_exit(panics_exit);
MODULE_DESCRIPTION("Panics");
MODULE_LICENSE("GPL");
