// SPDX-License-Identifier: GPL-2.0-only
/* Init runs into a WARN and goes on: taint W, a call trace in the log, and a live module. */
#include <linux/bug.h>
#include <linux/init.h>
#include <linux/module.h>

static int __init warns_init(void)
{
	WARN(1, "warns: init\n");
	return 0;
}

static void __exit warns_exit(void)
{
}

module_init(warns_init);
module_exit(warns_exit);
MODULE_DESCRIPTION("Warns");
MODULE_LICENSE("GPL");
