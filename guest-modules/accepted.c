// SPDX-License-Identifier: GPL-2.0-only
/* init returns a number that nothing else does: the kernel has accepted and run the module, and it is gone again. */
#include <linux/init.h>
#include <linux/module.h>

static int __init accepted_init(void)
{
	return -118; /* ENOTNAM, "Not a XENIX named type file" */
}

static void __exit accepted_exit(void)
{
}

module_init(accepted_init);
module_exit(accepted_exit);
MODULE_DESCRIPTION("Is accepted, says so by its result, and is gone");
MODULE_LICENSE("GPL");
