// SPDX-License-Identifier: GPL-2.0-only
/* Half of the loop loop_a <-> loop_b: init requests the other half, whose init requests this one again. */
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>

static int __init loop_b_init(void)
{
	pr_info("loop_b: init\n");
	pr_info("loop_b: request_module(loop_a) = %d\n", request_module("loop_a"));
	return 0;
}

static void __exit loop_b_exit(void)
{
}

module_init(loop_b_init);
module_exit(loop_b_exit);
MODULE_DESCRIPTION("Requests loop_a");
MODULE_LICENSE("GPL");
