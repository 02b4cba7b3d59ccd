// SPDX-License-Identifier: GPL-2.0-only
/* Requests as many modules at once as it is told, and counts the results. */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/kthread.h>
#include <linux/module.h>

static unsigned int requests = 60;
module_param(requests, uint, 0444);

static atomic_t running, served, late;
module_param_named(late, late.counter, int, 0444);
static DECLARE_COMPLETION(request_storm_done);

static int request_storm_one(void *unused)
{
	switch (request_module("storm")) {
	case 0:
		atomic_inc(&served);
		break;
	case -ETIME:
		atomic_inc(&late);
		break;
	}
	if (atomic_dec_and_test(&running))
		complete(&request_storm_done);
	return 0;
}

static int __init request_storm_init(void)
{
	unsigned int i;

	atomic_set(&running, requests);
	for (i = 0; i < requests; i++) {
		struct task_struct *task = kthread_run(request_storm_one, NULL, "storm/%u", i);

		if (IS_ERR(task))
			panic("no thread for a request");
	}
	wait_for_completion(&request_storm_done);
	pr_info("request_storm: %d served, %d too late\n", atomic_read(&served), atomic_read(&late));
	return 0;
}

static void __exit request_storm_exit(void)
{
}

module_init(request_storm_init);
module_exit(request_storm_exit);
MODULE_DESCRIPTION("Requests many modules at once");
MODULE_LICENSE("GPL");
