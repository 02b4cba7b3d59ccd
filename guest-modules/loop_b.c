// SPDX-License-Identifier: GPL-2.0-only
/* Requests loop_a, which requests this one. */
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>

static int __init loop_b_init(void)
{
	int ret = request_module("loop_a");

	pr_info("loop_b: request_module(loop_a) = %d\n", ret);
	return 0;
}

static void __exit loop_b_exit(void)
{
}

module_init(loop_b_init);
module_exit(loop_b_exit);
MODULE_DESCRIPTION("Requests loop_a");
MODULE_LICENSE("GPL");
