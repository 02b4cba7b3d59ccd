// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two threads count together under a mutex, DEFINE_MUTEX as in the article on 4.1. One holds it while it sleeps, so
 * that the other is seen to wait.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>

#define ROUNDS 2000

static DEFINE_MUTEX(mutex_pair_lock);
static DECLARE_COMPLETION(mutex_pair_done);
static int counter;
static int waited;

static int mutex_pair_count(void *unused)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (!mutex_trylock(&mutex_pair_lock)) {
			mutex_lock(&mutex_pair_lock);
			waited++;
		}
		counter++;
		if (i == 0)
			msleep(20);
		mutex_unlock(&mutex_pair_lock);
		cond_resched();
	}
	complete(&mutex_pair_done);
	return 0;
}

static int __init mutex_pair_init(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct task_struct *task = kthread_run(mutex_pair_count, NULL, "mutex_pair/%d", i);

		if (IS_ERR(task))
			return PTR_ERR(task);
	}
	wait_for_completion(&mutex_pair_done);
	wait_for_completion(&mutex_pair_done);
	pr_info("mutex_pair: counted to %d, %s\n", counter, waited ? "one has waited" : "nobody has waited");
	return 0;
}

static void __exit mutex_pair_exit(void)
{
}

module_init(mutex_pair_init);
module_exit(mutex_pair_exit);
MODULE_DESCRIPTION("Two threads and a mutex");
MODULE_LICENSE("GPL");
