// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that wait for a mutex long enough to be looked at:
 *   holders=2   one holds it while hold is set, the other waits for it
 *   holders=1   one takes it twice, and so waits for itself for ever
 * init does not wait for them; exit does.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/task.h>

static unsigned int holders = 2;
module_param(holders, uint, 0444);
static bool hold;
module_param(hold, bool, 0644);

static DEFINE_MUTEX(mutex_wait_lock);
static DECLARE_COMPLETION(mutex_wait_held);
static struct task_struct *threads[2];

static int mutex_wait_hold(void *unused)
{
	mutex_lock(&mutex_wait_lock);
	pr_info("mutex_wait: holds it\n");
	complete(&mutex_wait_held);
	if (holders == 1)
		mutex_lock(&mutex_wait_lock);
	while (READ_ONCE(hold))
		msleep(10);
	pr_info("mutex_wait: releases it\n");
	mutex_unlock(&mutex_wait_lock);
	return 0;
}

static int mutex_wait_wait(void *unused)
{
	if (mutex_trylock(&mutex_wait_lock))
		pr_info("mutex_wait: did not have to wait\n");
	else
		mutex_lock(&mutex_wait_lock);
	pr_info("mutex_wait: has waited\n");
	mutex_unlock(&mutex_wait_lock);
	return 0;
}

/* A thread that exit can wait for even if it has ended. */
static struct task_struct *begin(int (*function)(void *), const char *name)
{
	struct task_struct *task = kthread_run(function, NULL, "%s", name);

	if (!IS_ERR(task)) {
		get_task_struct(task);
		pr_info("mutex_wait: %s is process %d\n", name, task_pid_nr(task));
	}
	return task;
}

static int __init mutex_wait_init(void)
{
	threads[0] = begin(mutex_wait_hold, "mutex_holder");
	if (IS_ERR(threads[0]))
		return PTR_ERR(threads[0]);
	wait_for_completion(&mutex_wait_held);
	if (holders == 2)
		threads[1] = begin(mutex_wait_wait, "mutex_waiter");
	return PTR_ERR_OR_ZERO(threads[1]);
}

static void __exit mutex_wait_exit(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (threads[i]) {
			kthread_stop(threads[i]);
			put_task_struct(threads[i]);
		}
	}
}

module_init(mutex_wait_init);
module_exit(mutex_wait_exit);
MODULE_DESCRIPTION("Threads that wait for a mutex");
MODULE_LICENSE("GPL");
