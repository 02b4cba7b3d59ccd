// SPDX-License-Identifier: GPL-2.0-only
/* A hash algorithm, or what passes for one: loaded by who looks for it. */
#include <crypto/internal/hash.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>

static int lazy_hash_init_one(struct shash_desc *desc)
{
	return 0;
}

static int lazy_hash_update(struct shash_desc *desc, const u8 *data, unsigned int size)
{
	return 0;
}

static int lazy_hash_final(struct shash_desc *desc, u8 *out)
{
	memset(out, 0x2a, 4);
	return 0;
}

static struct shash_alg lazy_hash_alg = {
	.digestsize = 4,
	.init = lazy_hash_init_one,
	.update = lazy_hash_update,
	.final = lazy_hash_final,
	.base = {
		.cra_name = "modrig-hash",
		.cra_driver_name = "modrig-hash-lazy",
		.cra_blocksize = 1,
		.cra_module = THIS_MODULE,
	},
};

static int __init lazy_hash_init(void)
{
	pr_info("lazy_hash: init\n");
	return crypto_register_shash(&lazy_hash_alg);
}

static void __exit lazy_hash_exit(void)
{
	crypto_unregister_shash(&lazy_hash_alg);
}

module_init(lazy_hash_init);
module_exit(lazy_hash_exit);
MODULE_ALIAS_CRYPTO("modrig-hash");
MODULE_DESCRIPTION("A hash algorithm");
MODULE_LICENSE("GPL");
