// SPDX-License-Identifier: GPL-2.0-only
/*
 * A format of programs: files that begin with the bytes 1, 2, 3, 4. It runs none of them, but says so with an error of
 * its own. Loaded by exec of such a file, as long as the kernel asks for binfmt-*.
 */
#include <linux/binfmts.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>

static int lazy_format_load(struct linux_binprm *program)
{
	static const char magic[] = { 1, 2, 3, 4 };

	return memcmp(program->buf, magic, sizeof(magic)) ? -ENOEXEC : -ELIBBAD;
}

static struct linux_binfmt lazy_format = {
	.module = THIS_MODULE,
	.load_binary = lazy_format_load,
};

static int __init lazy_format_init(void)
{
	pr_info("lazy_format: init\n");
	register_binfmt(&lazy_format);
	return 0;
}

static void __exit lazy_format_exit(void)
{
	unregister_binfmt(&lazy_format);
}

module_init(lazy_format_init);
module_exit(lazy_format_exit);
MODULE_ALIAS("binfmt-0403");
MODULE_DESCRIPTION("A format of programs");
MODULE_LICENSE("GPL");
