// SPDX-License-Identifier: GPL-2.0-only
/*
 * A link of a chain of request_module calls: init requests the module whose number is one above its own.
 *
 * The harness makes chain_01, chain_02, ... by changing the name inside this one's file, so nothing here may know
 * the name at compile time. The chain ends where the next module is missing: there modprobe exits with 1 and
 * request_module gives 256. Init returns 0 all the same, so that every link stays loaded.
 */
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/string.h>

static int __init chain_init(void)
{
	const char *name = THIS_MODULE->name;
	unsigned int number;
	int error = kstrtouint(name + strlen(name) - 2, 10, &number);

	if (error)
		return error;
	pr_info("%s: request_module(chain_%02u) = %d\n", name, number + 1, request_module("chain_%02u", number + 1));
	return 0;
}

static void __exit chain_exit(void)
{
}

module_init(chain_init);
module_exit(chain_exit);
MODULE_DESCRIPTION("Requests the next module of the chain");
MODULE_LICENSE("GPL");
