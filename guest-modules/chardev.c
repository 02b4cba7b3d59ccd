// SPDX-License-Identifier: GPL-2.0-only
/* Owns /dev/chardev: whoever has it open holds a reference, and the unload fails with EAGAIN. */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

static int chardev_open(struct inode *inode, struct file *file)
{
	pr_info("chardev: open\n");
	return 0;
}

static int chardev_release(struct inode *inode, struct file *file)
{
	pr_info("chardev: release\n");
	return 0;
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
};

static struct miscdevice chardev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "chardev",
	.fops = &chardev_fops,
};

static int __init chardev_init(void)
{
	return misc_register(&chardev);
}

static void __exit chardev_exit(void)
{
	misc_deregister(&chardev);
}

module_init(chardev_init);
module_exit(chardev_exit);
MODULE_DESCRIPTION("Is held by whoever has its device open");
MODULE_LICENSE("GPL");
