// SPDX-License-Identifier: GPL-2.0-only
/* Writes to address 0 in its init: the loading process dies, the kernel goes on wounded. */
#include <linux/init.h>
#include <linux/module.h>

static int __init oopses_init(void)
{
	*(volatile int *)0 = 0;
	return 0;
}

static void __exit oopses_exit(void)
{
}

module_init(oopses_init);
module_exit(oopses_exit);
MODULE_DESCRIPTION("Dereferences a null pointer");
MODULE_LICENSE("GPL");
