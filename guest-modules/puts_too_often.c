// SPDX-License-Identifier: GPL-2.0-only
/* Gives back a reference to itself that it never took. */
#include <linux/init.h>
#include <linux/module.h>

static int __init puts_too_often_init(void)
{
	module_put(THIS_MODULE);
	return 0;
}

static void __exit puts_too_often_exit(void)
{
}

module_init(puts_too_often_init);
module_exit(puts_too_often_exit);
MODULE_DESCRIPTION("Puts a reference that it has not");
MODULE_LICENSE("GPL");
