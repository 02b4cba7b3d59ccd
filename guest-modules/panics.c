// SPDX-License-Identifier: GPL-2.0-only
/* Init panics the kernel. */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

static int __init panics_init(void)
{
	panic("panics: init");
}

module_init(panics_init);
MODULE_DESCRIPTION("Panics");
MODULE_LICENSE("GPL");
