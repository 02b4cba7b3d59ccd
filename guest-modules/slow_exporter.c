// SPDX-License-Identifier: GPL-2.0-only
/* Exports a symbol, and waits in init and exit while it is told to hold; init then returns what it is told. */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

static bool hold_init;
module_param(hold_init, bool, 0644);
static bool hold_exit;
module_param(hold_exit, bool, 0644);
static int result;
module_param(result, int, 0444);

int slow_exporter_value(void);
int slow_exporter_value(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(slow_exporter_value);

static int __init slow_exporter_init(void)
{
	while (READ_ONCE(hold_init))
		msleep(10);
	pr_info("slow_exporter: init\n");
	return result;
}

static void __exit slow_exporter_exit(void)
{
	while (READ_ONCE(hold_exit))
		msleep(10);
}

module_init(slow_exporter_init);
module_exit(slow_exporter_exit);
MODULE_DESCRIPTION("Exports a symbol, slowly");
MODULE_LICENSE("GPL");
