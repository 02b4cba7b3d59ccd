// SPDX-License-Identifier: GPL-2.0-only
/* Requests loop_b, which requests this one. */
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>

static int __init loop_a_init(void)
{
	int ret = request_module("loop_b");

	pr_info("loop_a: request_module(loop_b) = %d\n", ret);
	return 0;
}

static void __exit loop_a_exit(void)
{
}

module_init(loop_a_init);
module_exit(loop_a_exit);
MODULE_DESCRIPTION("Requests loop_b");
MODULE_LICENSE("GPL");
