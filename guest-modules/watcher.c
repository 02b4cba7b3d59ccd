// SPDX-License-Identifier: GPL-2.0-only
/* Hears of every module that comes, lives or goes, and can forbid one to come. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>

static char *veto = "";
module_param(veto, charp, 0444);

static int watcher_notify(struct notifier_block *block, unsigned long state, void *data)
{
	static const char * const names[] = { "live", "coming", "going", "unformed" };
	const struct module *module = data;

	pr_info("watcher: %s is %s\n", module->name, state < ARRAY_SIZE(names) ? names[state] : "lost");
	if (state == MODULE_STATE_COMING && !strcmp(module->name, veto))
		return notifier_from_errno(-EACCES);
	return NOTIFY_OK;
}

static struct notifier_block watcher_block = { .notifier_call = watcher_notify };

static int __init watcher_init(void)
{
	return register_module_notifier(&watcher_block);
}

static void __exit watcher_exit(void)
{
	unregister_module_notifier(&watcher_block);
}

module_init(watcher_init);
module_exit(watcher_exit);
MODULE_DESCRIPTION("Logs what becomes of other modules");
MODULE_LICENSE("GPL");
