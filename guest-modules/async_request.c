// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests a module from an asynchronous function. The load of that module waits, when its init has run, for all
 * asynchronous functions, and this one waits for the load.
 */
#include <linux/async.h>
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>

static void async_request_run(void *unused, async_cookie_t cookie)
{
	int ret = request_module("target");

	pr_info("async_request: request_module(target) = %d\n", ret);
}

static int __init async_request_init(void)
{
	async_schedule(async_request_run, NULL);
	return 0;
}

module_init(async_request_init);
MODULE_DESCRIPTION("Requests a module from an asynchronous function");
MODULE_LICENSE("GPL");
