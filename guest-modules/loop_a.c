// SPDX-License-Identifier: GPL-2.0-only
/* Half of the loop loop_a <-> loop_b: init requests the other half, whose init requests this one again. */
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>

static int __init loop_a_init(void)
{
	pr_info("loop_a: init\n");
	pr_info("loop_a: request_module(loop_b) = %d\n", request_module("loop_b"));
	return 0;
}

static void __exit loop_a_exit(void)
{
}

module_init(loop_a_init);
module_exit(loop_a_exit);
MODULE_DESCRIPTION("Requests loop_b");
MODULE_LICENSE("GPL");
