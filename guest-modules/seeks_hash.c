// SPDX-License-Identifier: GPL-2.0-only
/* Looks for a hash algorithm by name, holds it while loaded, and fails where there is none. */
#include <crypto/hash.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/module.h>

static char *name = "modrig-hash";
module_param(name, charp, 0444);

static struct crypto_shash *hash;

static int __init seeks_hash_init(void)
{
	hash = crypto_alloc_shash(name, 0, 0);
	if (IS_ERR(hash))
		return PTR_ERR(hash);
	pr_info("seeks_hash: found %s\n", name);
	return 0;
}

static void __exit seeks_hash_exit(void)
{
	crypto_free_shash(hash);
}

module_init(seeks_hash_init);
module_exit(seeks_hash_exit);
MODULE_DESCRIPTION("Looks for a hash algorithm");
MODULE_LICENSE("GPL");
