// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests a module for whoever writes to /dev/requester: "request NAME", "nowait NAME" or "try NAME".
 * Reading gives the name and what request_module returned; for "try", how often try_then_request_module looked.
 *
 * A device and not a parameter, because the kernel holds a lock of the module while a parameter is set.
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/uaccess.h>

static char answer[256];

/* What it looks for is there at the second look, whatever the helper has done. */
static int looked_for(const char *name)
{
	int looks = 0;

	try_then_request_module(++looks > 1, "%s", name);
	return looks;
}

static ssize_t requester_write(struct file *file, const char __user *data, size_t size, loff_t *offset)
{
	char line[128], *name = line, *verb;
	int ret;

	if (size >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, data, size))
		return -EFAULT;
	line[size] = 0;
	verb = strsep(&name, " ");
	if (!name)
		return -EINVAL;
	name = strim(name);
	if (!strcmp(verb, "request"))
		ret = request_module("%s", name);
	else if (!strcmp(verb, "nowait"))
		ret = request_module_nowait("%s", name);
	else if (!strcmp(verb, "try"))
		ret = looked_for(name);
	else
		return -EINVAL;
	snprintf(answer, sizeof(answer), "%s %d\n", name, ret);
	return size;
}

static ssize_t requester_read(struct file *file, char __user *data, size_t size, loff_t *offset)
{
	return simple_read_from_buffer(data, size, offset, answer, strlen(answer));
}

static const struct file_operations requester_operations = {
	.owner = THIS_MODULE,
	.read = requester_read,
	.write = requester_write,
};

static struct miscdevice requester_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "requester",
	.fops = &requester_operations,
};

static int __init requester_init(void)
{
	return misc_register(&requester_device);
}

static void __exit requester_exit(void)
{
	misc_deregister(&requester_device);
}

module_init(requester_init);
module_exit(requester_exit);
MODULE_DESCRIPTION("Requests modules by name");
MODULE_LICENSE("GPL");
