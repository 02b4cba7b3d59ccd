// SPDX-License-Identifier: GPL-2.0-only
/* Init requests its own module: the inner load waits for the outer one, which waits for it, until it is killed. */
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>

static int __init self_request_init(void)
{
	pr_info("self_request: init\n");
	pr_info("self_request: request_module(self_request) = %d\n", request_module("self_request"));
	return 0;
}

static void __exit self_request_exit(void)
{
}

module_init(self_request_init);
module_exit(self_request_exit);
MODULE_DESCRIPTION("Requests itself");
MODULE_LICENSE("GPL");
