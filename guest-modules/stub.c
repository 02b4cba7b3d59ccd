// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stub of the 2.6.17 article: init runs modprobe for another module, then decides by result:
 *   fail    returns -1, so that nothing of the stub stays
 *   ok      returns 0
 *   negate  returns -ret when the helper gave a positive status, as the article does
 *
 * The arrays are static, because with wait=0 they are read after init has returned.
 */
#include <linux/init.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/string.h>

static char *path = "/sbin/modprobe";
module_param(path, charp, 0444);
static char *arg = "target";
module_param(arg, charp, 0444);
static int wait = UMH_WAIT_PROC;
module_param(wait, int, 0444);
static char *result = "ok";
module_param(result, charp, 0444);

static char *argv[] = { NULL, "--first-time", NULL, NULL };
static char *envp[] = { "HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin", NULL };

static int __init stub_init(void)
{
	int ret;

	argv[0] = path;
	argv[2] = arg;
	ret = call_usermodehelper(path, argv, envp, wait);
	pr_info("stub: call_usermodehelper = %d\n", ret);
	if (!strcmp(result, "fail"))
		return -1;
	if (!strcmp(result, "negate"))
		return ret > 0 ? -ret : ret;
	return 0;
}

static void __exit stub_exit(void)
{
	pr_info("stub: exit\n");
}

module_init(stub_init);
module_exit(stub_exit);
MODULE_DESCRIPTION("Runs modprobe in its init");
MODULE_LICENSE("GPL");
