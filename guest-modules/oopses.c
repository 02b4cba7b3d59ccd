// SPDX-License-Identifier: GPL-2.0-only
/* Init writes through NULL: an oops kills the loader, and the module stays in COMING for ever. */
#include <linux/init.h>
#include <linux/module.h>

/* Volatile, so that the compiler cannot know that it is NULL and put a trap in the place of the write. */
static int *volatile nowhere;

static int __init oopses_init(void)
{
	pr_info("oopses: init\n");
	*nowhere = 1;
	return 0;
}

static void __exit oopses_exit(void)
{
}

module_init(oopses_init);
module_exit(oopses_exit);
MODULE_DESCRIPTION("Oopses");
MODULE_LICENSE("GPL");
