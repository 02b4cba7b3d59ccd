// SPDX-License-Identifier: GPL-2.0-only
/* A live patch: while it is enabled, /proc/cmdline shows another text. */
#include <linux/init.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/seq_file.h>

static int patched_cmdline_proc_show(struct seq_file *file, void *unused)
{
	seq_puts(file, "this has been live patched\n");
	return 0;
}

static struct klp_func functions[] = {
	{ .old_name = "cmdline_proc_show", .new_func = patched_cmdline_proc_show },
	{ }
};

static struct klp_object objects[] = {
	{ .funcs = functions },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init patches_cmdline_init(void)
{
	return klp_enable_patch(&patch);
}

static void __exit patches_cmdline_exit(void)
{
	pr_info("patches_cmdline: exit\n");
}

module_init(patches_cmdline_init);
module_exit(patches_cmdline_exit);
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Live patches /proc/cmdline");
MODULE_LICENSE("GPL");
