// SPDX-License-Identifier: GPL-2.0-only
/* Would like a function that nobody exports, and does without it. */
#include <linux/init.h>
#include <linux/module.h>

int nobody_exports_that(void) __attribute__((weak));

static int __init weak_need_init(void)
{
	int (*function)(void) = nobody_exports_that;

	OPTIMIZER_HIDE_VAR(function);
	pr_info("weak_need: init, %s\n", function ? "found" : "not found");
	return 0;
}

static void __exit weak_need_exit(void)
{
}

module_init(weak_need_init);
module_exit(weak_need_exit);
MODULE_DESCRIPTION("Has a weak reference that stays open");
MODULE_LICENSE("GPL");
