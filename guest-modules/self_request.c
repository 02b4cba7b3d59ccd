// SPDX-License-Identifier: GPL-2.0-only
/* Requests itself in its init: waits for a load that waits for it. */
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>

static int __init self_request_init(void)
{
	int ret = request_module("self_request");

	pr_info("self_request: request_module(self_request) = %d\n", ret);
	return 0;
}

static void __exit self_request_exit(void)
{
}

module_init(self_request_init);
module_exit(self_request_exit);
MODULE_DESCRIPTION("Requests itself");
MODULE_LICENSE("GPL");
