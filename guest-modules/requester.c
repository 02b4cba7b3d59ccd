// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls request_module on demand. With the parameter `name`, init does, and loads whatever the result is.
 * Later, each line written to /dev/requester is a command:
 *
 *	request NAME	request_module(NAME)
 *	nowait NAME	request_module_nowait(NAME)
 *	long N		request_module with a name of N bytes
 *
 * The write returns when the call has; reading gives the name and the result of the call that ended last.
 * It is a device and not a module parameter, because a parameter's setter holds a lock that the helper may need.
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define LONGEST 255

static char *name;
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "the module init requests");

static DEFINE_MUTEX(last_lock);
static char last[LONGEST + 16];

static void store(const char *what, int result)
{
	pr_info("requester: request_module(%s) = %d\n", what, result);
	mutex_lock(&last_lock);
	snprintf(last, sizeof(last), "%s %d\n", what, result);
	mutex_unlock(&last_lock);
}

static int request_long(const char *digits)
{
	char long_name[LONGEST + 1] = "";
	unsigned int length;
	int error = kstrtouint(digits, 0, &length);

	if (error)
		return error;
	if (length > LONGEST)
		return -EINVAL;
	memset(long_name, 'x', length);
	store(long_name, request_module("%s", long_name));
	return 0;
}

static int run(char *line)
{
	char *argument = strim(line);
	char *command = strsep(&argument, " ");

	if (!argument || strlen(argument) > LONGEST)
		return -EINVAL;
	if (!strcmp(command, "request"))
		store(argument, request_module("%s", argument));
	else if (!strcmp(command, "nowait"))
		store(argument, request_module_nowait("%s", argument));
	else if (!strcmp(command, "long"))
		return request_long(argument);
	else
		return -EINVAL;
	return 0;
}

static ssize_t requester_write(struct file *file, const char __user *from, size_t size, loff_t *position)
{
	char *line;
	int error;

	if (size >= PAGE_SIZE)
		return -E2BIG;
	line = memdup_user_nul(from, size);
	if (IS_ERR(line))
		return PTR_ERR(line);
	error = run(line);
	kfree(line);
	return error ? error : size;
}

static ssize_t requester_read(struct file *file, char __user *to, size_t size, loff_t *position)
{
	ssize_t done;

	mutex_lock(&last_lock);
	done = simple_read_from_buffer(to, size, position, last, strlen(last));
	mutex_unlock(&last_lock);
	return done;
}

static const struct file_operations requester_fops = {
	.owner = THIS_MODULE,
	.read = requester_read,
	.write = requester_write,
};

static struct miscdevice requester = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "requester",
	.fops = &requester_fops,
	.mode = 0600,
};

static int __init requester_init(void)
{
	if (name)
		store(name, request_module("%s", name));
	return misc_register(&requester);
}

static void __exit requester_exit(void)
{
	misc_deregister(&requester);
}

module_init(requester_init);
module_exit(requester_exit);
MODULE_DESCRIPTION("Calls request_module when told to");
MODULE_LICENSE("GPL");
