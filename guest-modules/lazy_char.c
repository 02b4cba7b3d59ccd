// SPDX-License-Identifier: GPL-2.0-only
/* The character devices of major number 240, which is for local use: loaded by the first open of one. */
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/module.h>

/* A number and not an expression: it becomes part of the alias. */
#define LAZY_CHAR_MAJOR 240

static const struct file_operations lazy_char_operations = { .owner = THIS_MODULE };

static int __init lazy_char_init(void)
{
	pr_info("lazy_char: init\n");
	return register_chrdev(LAZY_CHAR_MAJOR, "lazy_char", &lazy_char_operations);
}

static void __exit lazy_char_exit(void)
{
	unregister_chrdev(LAZY_CHAR_MAJOR, "lazy_char");
}

module_init(lazy_char_init);
module_exit(lazy_char_exit);
MODULE_ALIAS_CHARDEV_MAJOR(LAZY_CHAR_MAJOR);
MODULE_DESCRIPTION("Character devices of major 240");
MODULE_LICENSE("GPL");
