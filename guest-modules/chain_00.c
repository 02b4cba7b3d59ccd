// SPDX-License-Identifier: GPL-2.0-only
/*
 * One link of a chain: chain_NN requests chain_NN+1 in its init, and so on until one is not there.
 *
 * Built once; the other links are copies under names of the same length, so the number is read from the
 * module's own name when it runs.
 */
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kmod.h>
#include <linux/module.h>

static int __init chain_00_init(void)
{
	unsigned int own;
	char next[] = "chain_00";
	int ret;

	if (sscanf(THIS_MODULE->name, "chain_%02u", &own) != 1)
		return -EINVAL;
	snprintf(next, sizeof(next), "chain_%02u", own + 1);
	ret = request_module("%s", next);
	pr_info("%s: request_module(%s) = %d\n", THIS_MODULE->name, next, ret);
	return 0;
}

static void __exit chain_00_exit(void)
{
}

module_init(chain_00_init);
module_exit(chain_00_exit);
MODULE_DESCRIPTION("Requests the next link of a chain");
MODULE_LICENSE("GPL");
