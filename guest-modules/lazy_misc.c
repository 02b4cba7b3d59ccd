// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device whose node can be made before its driver is there: the name and the number stand in two aliases, from which
 * depmod writes a line of modules.devname.
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#define LAZY_MISC_MINOR 245

static const struct file_operations lazy_misc_operations = { .owner = THIS_MODULE };

static struct miscdevice lazy_misc_device = {
	.minor = LAZY_MISC_MINOR,
	.name = "lazy_misc",
	.nodename = "modrig/lazy",
	.fops = &lazy_misc_operations,
};

static int __init lazy_misc_init(void)
{
	pr_info("lazy_misc: init\n");
	return misc_register(&lazy_misc_device);
}

static void __exit lazy_misc_exit(void)
{
	misc_deregister(&lazy_misc_device);
}

module_init(lazy_misc_init);
module_exit(lazy_misc_exit);
MODULE_ALIAS_MISCDEV(LAZY_MISC_MINOR);
MODULE_ALIAS("devname:modrig/lazy");
MODULE_DESCRIPTION("A device with a static node");
MODULE_LICENSE("GPL");
