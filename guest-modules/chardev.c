// SPDX-License-Identifier: GPL-2.0-only
/* A device that holds its module while it is open, through file_operations.owner. */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static const struct file_operations chardev_operations = {
	.owner = THIS_MODULE,
};

static struct miscdevice chardev_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "chardev",
	.fops = &chardev_operations,
};

static int __init chardev_init(void)
{
	return misc_register(&chardev_device);
}

static void __exit chardev_exit(void)
{
	misc_deregister(&chardev_device);
}

module_init(chardev_init);
module_exit(chardev_exit);
MODULE_DESCRIPTION("Is held by whoever opens /dev/chardev");
MODULE_LICENSE("GPL");
