// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stub: init runs modprobe for another module and then, by failing, removes itself.
 *
 * `result` says what init returns after the call: "fail" -1, "ok" 0, "negate" the call's result with a positive
 * one (a wait status) made negative.
 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/umh.h>

static char *path = "/sbin/modprobe";
module_param(path, charp, 0444);
MODULE_PARM_DESC(path, "the program to run");

static char *arg = "target";
module_param(arg, charp, 0444);
MODULE_PARM_DESC(arg, "its last argument");

static int wait = UMH_WAIT_PROC;
module_param(wait, int, 0444);
MODULE_PARM_DESC(wait, "0 no wait, 1 for exec, 2 for the end, 4 more: killable, 8 more: freezable");

static char *result = "fail";
module_param(result, charp, 0444);
MODULE_PARM_DESC(result, "what init returns: fail, ok or negate");

/* Not on the stack: without waiting, the program is started after init has returned. */
static char *argv[] = { NULL, "--first-time", NULL, NULL };
static char *envp[] = { "HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", NULL };

static int __init stub_init(void)
{
	int status;

	argv[0] = path;
	argv[2] = arg;
	status = call_usermodehelper(path, argv, envp, wait);
	pr_info("stub: call_usermodehelper = %d\n", status);
	if (!strcmp(result, "fail"))
		return -1;
	if (!strcmp(result, "negate"))
		return status > 0 ? -status : status;
	return 0;
}

static void __exit stub_exit(void)
{
	pr_info("stub: exit\n");
}

module_init(stub_init);
module_exit(stub_exit);
MODULE_DESCRIPTION("Runs modprobe and gets out of the way");
MODULE_LICENSE("GPL");
