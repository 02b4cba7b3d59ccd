// SPDX-License-Identifier: GPL-2.0-only
/*
 * A security policy on requests of modules: a live patch in the place of security_kernel_module_request, which
 * request_module asks with the name before it runs anything. Names that begin with "forbidden" get -EACCES.
 */
#include <linux/init.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/string.h>

static int patched_security_kernel_module_request(char *name)
{
	pr_info("forbids_requests: asked for %s\n", name);
	return strncmp(name, "forbidden", strlen("forbidden")) ? 0 : -EACCES;
}

static struct klp_func functions[] = {
	{ .old_name = "security_kernel_module_request", .new_func = patched_security_kernel_module_request },
	{ }
};

static struct klp_object objects[] = {
	{ .funcs = functions },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init forbids_requests_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit forbids_requests_exit(void)
{
}

module_init(forbids_requests_init);
module_exit(forbids_requests_exit);
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Forbids some requests of modules");
MODULE_LICENSE("GPL");
