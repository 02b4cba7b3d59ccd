// SPDX-License-Identifier: GPL-2.0-only
/* exit writes to address 0: who unloads it dies, and the module stays going. */
#include <linux/init.h>
#include <linux/module.h>

static int *nowhere;

static int __init exit_oopses_init(void)
{
	return 0;
}

static void __exit exit_oopses_exit(void)
{
	*(volatile int *)nowhere = 1;
}

module_init(exit_oopses_init);
module_exit(exit_oopses_exit);
MODULE_DESCRIPTION("Oopses in its exit");
MODULE_LICENSE("GPL");
