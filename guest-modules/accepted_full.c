// SPDX-License-Identifier: GPL-2.0-only
/* As accepted.c, with a section of each kind that a loader looks at: parameters, exports, imports, aliases, data that is
 * written once, code that is patched, pointers that are relocated. */
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/slab.h>

static int number = 3;
module_param(number, int, 0644);
MODULE_PARM_DESC(number, "is added up");
static char *word = "word";
module_param(word, charp, 0444);
static int list[4];
static unsigned int list_count;
module_param_array(list, int, &list_count, 0);

static DEFINE_MUTEX(lock);
static DEFINE_PER_CPU(int, per_processor);
static DEFINE_STATIC_KEY_FALSE(switched);
static int written_once __ro_after_init;
static int zero[64];
static const char *const names[] = { "one", "two", "three" };

int accepted_shared = 7;
EXPORT_SYMBOL(accepted_shared);

int accepted_twice(int of);
int accepted_twice(int of)
{
	int *copy = kmalloc(sizeof(*copy), GFP_KERNEL);

	if (!copy)
		return 0;
	*copy = 2 * of;
	of = *copy;
	kfree(copy);
	return of;
}
EXPORT_SYMBOL_GPL(accepted_twice);

static int __init accepted_full_init(void)
{
	mutex_lock(&lock);
	this_cpu_inc(per_processor);
	if (static_branch_unlikely(&switched))
		zero[number & 63] = (int)strlen(names[number % 3]);
	written_once = accepted_twice(number) + (int)strlen(word);
	mutex_unlock(&lock);
	return -118; /* whatever happened: another number would be taken for the kernel's */
}

static void __exit accepted_full_exit(void)
{
	pr_info("accepted_full: exit, %d\n", written_once);
}

module_init(accepted_full_init);
module_exit(accepted_full_exit);
MODULE_ALIAS("modrig-accepted-*");
MODULE_DESCRIPTION("Is accepted, with much in it");
MODULE_VERSION("1.0");
MODULE_LICENSE("GPL");
